// SPDX-License-Identifier: Apache-2.0
// Sizes that a caller may ask for and no memory can hold.
#pragma once

#include <cstdint>
#include <new>

namespace chainrule::engine {

/// More bytes than any machine has, and little enough for what is then added to a product.
inline constexpr std::int64_t kMostBytes = std::int64_t{1} << 56;

/// a * b of numbers that are not negative; throws std::bad_alloc, as the allocation of so much
/// would, where it is more than kMostBytes.
inline std::int64_t checked_product(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || product < 0 || product > kMostBytes)
    throw std::bad_array_new_length();
  return product;
}

/// Throws std::bad_alloc unless tables of `rows` rows of up to `columns` 64-bit numbers can be
/// thought of, for each of `threads` threads: before anything else is worked out from the sizes.
inline void check_table_size(std::int64_t rows, std::int64_t columns, std::int64_t threads = 1) {
  // Rows are padded, and so is their number.
  constexpr std::int64_t padding = 64;
  const std::int64_t bytes = checked_product(8, threads);
  (void)checked_product(bytes, rows);
  (void)checked_product(bytes, columns);
  (void)checked_product(checked_product(bytes, columns + padding), rows + padding);
}

}  // namespace chainrule::engine
