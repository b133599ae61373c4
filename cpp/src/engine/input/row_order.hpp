// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace chainrule::engine {

/// Which rows of the caller's data a batch takes, and in what order: its row i is row
/// order[first + i] of the data, or row first + i where `order` is null.
struct RowOrder {
  const std::int64_t* order = nullptr;
  std::int64_t first = 0;

  std::int64_t operator[](std::int64_t i) const { return order ? order[first + i] : first + i; }
  /// The same without the first `rows` rows of the batch.
  RowOrder after(std::int64_t rows) const { return {order, first + rows}; }
};

/// The rows that a call works on, in their order: those of a list of the caller's, or all of them.
struct RowList {
  const std::int64_t* numbers;  // null: all
  std::int64_t count;

  RowList(std::span<const std::int64_t> list, std::int64_t all)
      : numbers(list.empty() ? nullptr : list.data()),
        count(list.empty() ? all : static_cast<std::int64_t>(list.size())) {}
  RowOrder from(std::int64_t first) const { return {numbers, first}; }
};

/// Throws Error naming the first number of the list that is no row's.
void check_row_numbers(std::span<const std::int64_t> list, std::int64_t rows, const char* name);

}  // namespace chainrule::engine
