// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/nonzero_marks.hpp"
#include "zeros.hpp"

namespace {

using namespace chainrule::engine;
using namespace chainrule::kernels;
using namespace chainrule::testing;

template <class T>
NonzeroMarks<T> marks_of(const KernelTable<T>& k, const Matrix<T>& x, int threads) {
  NonzeroMarks<T> marks(k, x.rows + 3, kInputs, threads, true);
  for (int64_t i = x.rows - 1; i >= 0; --i) marks.take(i, x.data() + i * x.stride);
  for (int t = 0; t < threads; ++t) marks.turn(x.rows, {t, threads});
  return marks;
}

bool marked(const uint64_t* marks, int64_t length, int64_t line, int64_t place) {
  const uint64_t word = marks[line * words_of_marks(length) + place / kMarksOfWord];
  return (word >> (place % kMarksOfWord) & 1) != 0;
}

template <class T>
void check_marks(NonzeroMarks<T> marks, const Matrix<T>& x, Share share) {
  int64_t wrong = 0;
  const int32_t* begin = marks.begin(share);
  for (int64_t j = 0; j < kInputs; ++j) {
    int32_t count = 0;
    for (int64_t i = 0; i < x.rows; ++i) {
      const bool set = x(i, j) != T(0);
      count += set;
      wrong += marked(marks.rows(), kInputs, i, j) != set;
      wrong += marked(marks.columns(), x.rows, j, i) != set;
    }
    wrong += begin[j + 1] - begin[j] != count;
  }
  wrong += begin[0] != 0;
  CHECK(wrong == 0);
}

/// Products from the marked entries against those over all terms.
template <class T>
void check_products(const KernelTable<T>& k, const Matrix<T>& x, int64_t units, int64_t block) {
  const NonzeroMarks<T> marks = marks_of(k, x, 1);
  const AllTerms<T> all(k, x, units);
  Matrix<T> y(x.rows, units);
  k.marked_forward({all.shape, all.weight.data(), all.bias.data(), x.data(), x.stride, marks.rows(),
                    y.data(), y.stride, 0, x.rows, 0, all.panels, block});
  CHECK(same_bits(y, all.y));

  std::vector<T> g(all.g.size(), T(7));
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{50, kInputs}, {0, 50}}) {
    for (int64_t panel = 0; panel < all.panels; ++panel)
      k.marked_gradient({all.shape, panel, panel + 1, begin, end, x.rows, x.data(), x.stride,
                         marks.columns(), all.dy.data(), all.dy.stride,
                         g.data() + all.at(panel, begin), k.panel * kInputs, nullptr});
  }
  CHECK(same_bits(g, all.g));
  if (units % k.panel != 0) return;
  std::fill(g.begin(), g.end(), T(7));
  k.marked_gradient({all.shape, 0, all.panels, 0, kInputs, x.rows, x.data(), x.stride,
                     marks.columns(), all.dy.data(), all.dy.stride, g.data(), k.panel * kInputs,
                     nullptr});
  CHECK(same_bits(g, all.g));
}

}  // namespace

TEST_CASE("marks of a table, by row and by column, for any threads") {
  everywhere([]<class T>(const KernelTable<T>& k, int64_t rows, double density) {
    const Matrix<T> x = batch_of<T>(rows, density);
    for (const int threads : {1, 3})
      check_marks(marks_of(k, x, threads), x, {threads - 1, threads});
  });
}

TEST_CASE("products from marked entries have the bits of products over all terms") {
  everywhere([]<class T>(const KernelTable<T>& k, int64_t rows, double density) {
    const Matrix<T> x = batch_of<T>(rows, density);
    for (const int64_t units : {int64_t{1}, int64_t{75}, 2 * k.panel, 4 * k.panel, 5 * k.panel}) {
      CAPTURE(units);
      for (const int64_t block : {int64_t{1}, int64_t{2}, int64_t{3}})
        check_products(k, x, units, block);
    }
  });
}
