// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/input/nonzero_mask.hpp"
#include "zeros.hpp"

namespace {

using namespace chainrule::engine;
using namespace chainrule::kernels;
using namespace chainrule::testing;

template <class T>
NonzeroMask<T> mask_of(const KernelTable<T>& k, const Matrix<T>& x, int threads) {
  NonzeroMask<T> mask(k, x.rows + 3, kInputs, threads, true);
  for (int64_t i = x.rows - 1; i >= 0; --i) mask.take(i, x.data() + i * x.stride);
  for (int t = 0; t < threads; ++t) mask.transpose(x.rows, {t, threads});
  return mask;
}

bool is_set(const uint64_t* mask, int64_t length, int64_t line, int64_t place) {
  const uint64_t word = mask[line * mask_words(length) + place / kBitsPerWord];
  return (word >> (place % kBitsPerWord) & 1) != 0;
}

template <class T>
void check_mask(NonzeroMask<T> mask, const Matrix<T>& x, ThreadSlice slice) {
  int64_t wrong = 0;
  const int32_t* begin = mask.begin(slice);
  for (int64_t j = 0; j < kInputs; ++j) {
    int32_t count = 0;
    for (int64_t i = 0; i < x.rows; ++i) {
      const bool set = x(i, j) != T(0);
      count += set;
      wrong += is_set(mask.rows(), kInputs, i, j) != set;
      wrong += is_set(mask.columns(), x.rows, j, i) != set;
    }
    wrong += begin[j + 1] - begin[j] != count;
  }
  wrong += begin[0] != 0;
  CHECK(wrong == 0);
}

/// Products from the nonzeros of a mask against those over all terms.
template <class T>
void check_products(const KernelTable<T>& k, const Matrix<T>& x, int64_t units, int64_t block) {
  const NonzeroMask<T> mask = mask_of(k, x, 1);
  const AllTerms<T> all(k, x, units);
  Matrix<T> y(x.rows, units);
  const NumberTable<T> numbers{x.data(), x.stride};
  k.masked_forward({all.shape, all.weight.data(), all.bias.data(), numbers, mask.rows(), y.data(),
                    y.stride, 0, x.rows, 0, all.panels, block});
  CHECK(same_bits(y, all.y));

  std::vector<T> g(all.g.size(), T(7));
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{50, kInputs}, {0, 50}}) {
    for (int64_t panel = 0; panel < all.panels; ++panel)
      k.masked_gradient({all.shape, panel, panel + 1, begin, end, x.rows, numbers, mask.columns(),
                         all.dy.data(), all.dy.stride, g.data() + all.at(panel, begin),
                         k.panel * kInputs, nullptr});
  }
  CHECK(same_bits(g, all.g));
  if (units % k.panel != 0) return;
  std::fill(g.begin(), g.end(), T(7));
  k.masked_gradient({all.shape, 0, all.panels, 0, kInputs, x.rows, numbers, mask.columns(),
                     all.dy.data(), all.dy.stride, g.data(), k.panel * kInputs, nullptr});
  CHECK(same_bits(g, all.g));
}

/// Marks of bytes against those of the numbers that they stand for.
template <class T>
void check_bytes(const KernelTable<T>& k, int64_t rows, double density, int64_t units) {
  const Matrix<T> pattern = batch_of<T>(rows, density);
  std::vector<T> values(256);
  for (int64_t byte = 0; byte < 256; ++byte) values[byte] = T(byte) / T(37);
  NonzeroMask<T> mask(k, rows, kInputs, 1, true);
  mask.set_byte_values(values.data());
  Matrix<T> x(rows, kInputs);
  for (int64_t i = 0; i < rows; ++i) {
    // Whole vectors are not read behind the last byte of a row.
    std::vector<uint8_t> row(kInputs);
    for (int64_t j = 0; j < kInputs; ++j) {
      if (pattern(i, j) != T(0)) row[j] = uint8_t(1 + (i * 31 + j * 7) % 255);
      x(i, j) = values[row[j]];
    }
    mask.take(i, row.data());
  }
  mask.transpose(rows, {0, 1});
  check_mask(mask, x, {0, 1});

  const AllTerms<T> all(k, x, units);
  Matrix<T> y(rows, units);
  k.masked_byte_forward({all.shape, all.weight.data(), all.bias.data(), mask.bytes(), mask.rows(),
                         y.data(), y.stride, 0, rows, 0, all.panels, 2});
  CHECK(same_bits(y, all.y));
  std::vector<T> g(all.g.size(), T(7));
  for (int64_t panel = 0; panel < all.panels; ++panel)
    k.masked_byte_gradient({all.shape, panel, panel + 1, 0, kInputs, rows, mask.bytes(),
                            mask.columns(), all.dy.data(), all.dy.stride,
                            g.data() + all.at(panel, 0), k.panel * kInputs, nullptr});
  CHECK(same_bits(g, all.g));
}

}  // namespace

TEST_CASE("the nonzero mask of a table, by row and by column, for any threads") {
  everywhere([]<class T>(const KernelTable<T>& k, int64_t rows, double density) {
    const Matrix<T> x = batch_of<T>(rows, density);
    for (const int threads : {1, 3}) check_mask(mask_of(k, x, threads), x, {threads - 1, threads});
  });
}

TEST_CASE("products from the nonzeros of a mask have the bits of products over all terms") {
  everywhere([]<class T>(const KernelTable<T>& k, int64_t rows, double density) {
    const Matrix<T> x = batch_of<T>(rows, density);
    for (const int64_t units : {int64_t{1}, int64_t{75}, 2 * k.panel, 4 * k.panel, 5 * k.panel}) {
      CAPTURE(units);
      for (const int64_t block : {int64_t{1}, int64_t{2}, int64_t{3}})
        check_products(k, x, units, block);
    }
  });
}

TEST_CASE("a batch of bytes gets its mask and is multiplied as the numbers that they stand for") {
  everywhere([]<class T>(const KernelTable<T>& k, int64_t rows, double density) {
    for (const int64_t units : {int64_t{1}, int64_t{75}, 4 * k.panel})
      check_bytes(k, rows, density, units);
  });
}
