// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "chainrule/data.hpp"
#include "chainrule/error.hpp"
#include "engine/input/compressed_rows.hpp"
#include "engine/input/sparse_input.hpp"
#include "zeros.hpp"

namespace {

using namespace chainrule::engine;
using namespace chainrule::kernels;
using namespace chainrule::testing;
using chainrule::DataType;
using chainrule::RowsView;

/// The same as compressed rows, which own their arrays; stored backwards, to be read by `order`.
template <class T, class Index>
struct Compressed {
  explicit Compressed(const Matrix<T>& x) {
    for (int64_t i = x.rows - 1; i >= 0; --i) {
      for (int64_t j = 0; j < x.columns; ++j) {
        if (x(i, j) == T(0)) continue;
        values.push_back(x(i, j));
        indices.push_back(static_cast<Index>(j));
      }
      offsets.push_back(static_cast<Index>(values.size()));
      order.push_back(i);
    }
    view.data = values.data();
    view.type = sizeof(T) == 4 ? DataType::float32 : DataType::float64;
    view.rows = x.rows;
    view.columns = x.columns;
    view.offsets = offsets.data();
    view.indices = indices.data();
    view.stored = static_cast<int64_t>(values.size());
    view.wide_offsets = view.wide_indices = sizeof(Index) == 8;
  }

  std::vector<T> values;
  std::vector<Index> indices;
  std::vector<Index> offsets{0};
  std::vector<int64_t> order;
  RowsView view;
};

/// What threads do, one after another.
template <class T>
void transpose(SparseInput<T>& input, int64_t rows, int threads) {
  const auto each = [&](auto run) {
    for (int t = 0; t < threads; ++t)
      run(ThreadSlice{t, threads}.range(rows, kRowAlignment<T>), ThreadSlice{t, threads});
  };
  each([&](Range mine, ThreadSlice slice) { input.count(mine, slice); });
  each([&](Range mine, ThreadSlice slice) { input.transpose(mine, slice); });
}

template <class T, class Index>
SparseInput<T> from_compressed(const KernelTable<T>& k, const Matrix<T>& x, int threads) {
  const Compressed<T, Index> source(x);
  std::vector<int64_t> offsets = SparseInput<T>::offsets_of(source.view);
  const int64_t room = SparseInput<T>::entries_of_compressed(offsets, x.rows);
  SparseInput<T> input(k, x.rows, kInputs, room, threads, true);
  input.set_row_offsets(std::move(offsets));
  for (int t = 0; t < threads; ++t)
    input.take(source.view, {source.order.data(), 0},
               ThreadSlice{t, threads}.range(x.rows, kRowAlignment<T>), nullptr);
  transpose(input, x.rows, threads);
  return input;
}

template <class T>
void check_entries(const SparseInput<T>& input, const Matrix<T>& x) {
  int64_t wrong = 0;
  const SparseRows<T> rows = input.rows();
  for (int64_t i = 0; i < x.rows; ++i) {
    int64_t at = rows.row_offsets[i];
    for (int64_t j = 0; j < kInputs; ++j) {
      if (x(i, j) == T(0)) continue;
      wrong += rows.columns[at] != j || !same_value(rows.values[at], x(i, j));
      ++at;
    }
    wrong += rows.columns[at] != kNoColumn;
  }
  const SparseColumns<T> columns = input.columns();
  int32_t at = 0;
  for (int64_t j = 0; j < kInputs; ++j) {
    wrong += columns.column_offsets[j] != at;
    for (int64_t i = 0; i < x.rows; ++i) {
      if (x(i, j) == T(0)) continue;
      wrong += columns.rows[at] != i || !same_value(columns.values[at], x(i, j));
      ++at;
    }
  }
  wrong += columns.column_offsets[kInputs] != at;
  CHECK(wrong == 0);
}

/// Products from the entries against those over all terms.
template <class T>
void check_products(const KernelTable<T>& k, Matrix<T>& x, int64_t units, int64_t block) {
  SparseInput<T> input = from_compressed<T, int32_t>(k, x, 1);
  const AllTerms<T> all(k, x, units);
  Matrix<T> y(x.rows, units);
  k.sparse_forward({all.shape, all.weight.data(), all.bias.data(), input.rows(), y.data(), y.stride,
                    0, x.rows, 0, all.panels, block, input.positions({0, 1}), block >= kInputs});
  CHECK(same_bits(y, all.y));

  std::vector<T> g(all.g.size(), T(7));
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{50, kInputs}, {0, 50}}) {
    // Groups of panels start where they start in the engine, and their panels at the first row.
    for (int64_t panel = 0; panel < all.panels; ++panel)
      k.sparse_gradient({all.shape, panel, panel + 1, begin, end, input.columns(), all.dy.data(),
                         all.dy.stride, g.data() + all.at(panel, begin), k.panel * kInputs,
                         nullptr});
  }
  CHECK(same_bits(g, all.g));
  if (units % k.panel != 0) return;
  std::fill(g.begin(), g.end(), T(7));
  k.sparse_gradient({all.shape, 0, all.panels, 0, kInputs, input.columns(), all.dy.data(),
                     all.dy.stride, g.data(), k.panel * kInputs, nullptr});
  CHECK(same_bits(g, all.g));
}

}  // namespace

TEST_CASE("entries of compressed rows, by row and by column, for any threads") {
  everywhere([]<class T>(const KernelTable<T>& k, int64_t rows, double density) {
    Matrix<T> x = batch_of<T>(rows, density);
    for (const int threads : {1, 3}) {
      check_entries(from_compressed<T, int32_t>(k, x, threads), x);
      check_entries(from_compressed<T, int64_t>(k, x, threads), x);
    }
  });
}

TEST_CASE("products from the entries have the bits of products over all terms") {
  everywhere([]<class T>(const KernelTable<T>& k, int64_t rows, double density) {
    Matrix<T> x = batch_of<T>(rows, density);
    for (const int64_t units : {int64_t{1}, int64_t{75}, 2 * k.panel, 4 * k.panel, 5 * k.panel}) {
      CAPTURE(units);
      for (const int64_t block : {int64_t{1}, int64_t{32}, kInputs})
        check_products(k, x, units, block);
    }
  });
}

TEST_CASE("the values of compressed rows are scaled by column, whatever their type") {
  const std::vector<std::uint8_t> values{3, 5};
  const std::vector<int32_t> indices{1, 3};
  const std::vector<int64_t> offsets{0, 1, 2};
  RowsView x;
  x.data = values.data();
  x.type = DataType::uint8;
  x.rows = 2;
  x.columns = 4;
  x.offsets = offsets.data();
  x.indices = indices.data();
  x.stored = 2;
  x.wide_offsets = true;
  const std::vector<float> scale{1, 10, 1, 100};
  std::vector<int64_t> expected = SparseInput<float>::offsets_of(x);
  SparseInput<float> input(kernels_of<float>("portable"), 2, 4,
                           SparseInput<float>::entries_of_compressed(expected, 2), 1, false);
  input.set_row_offsets(std::move(expected));
  input.take(x, {}, {0, 2}, scale.data());
  CHECK(input.rows().values[input.rows().row_offsets[0]] == 30.0F);
  CHECK(input.rows().values[input.rows().row_offsets[1]] == 500.0F);
  CHECK_FALSE(input.changed());
}

TEST_CASE("zeros that compressed rows store or get by scaling are no entries") {
  const std::vector<float> values{0, 3, 5, 7};
  const std::vector<int32_t> indices{1, 2, 0, 3};
  const std::vector<int32_t> offsets{0, 2, 4};
  RowsView x;
  x.data = values.data();
  x.rows = 2;
  x.columns = 4;
  x.offsets = offsets.data();
  x.indices = indices.data();
  x.stored = 4;
  const std::vector<float> scale{0, 1, 1, 1};
  std::vector<int64_t> expected = SparseInput<float>::offsets_of(x);
  SparseInput<float> input(kernels_of<float>("portable"), 2, 4,
                           SparseInput<float>::entries_of_compressed(expected, 2), 1, true);
  input.set_row_offsets(std::move(expected));
  input.take(x, {}, {0, 2}, scale.data());
  transpose(input, 2, 1);
  const SparseRows<float> rows = input.rows();
  CHECK(rows.columns[rows.row_offsets[0]] == 2);
  CHECK(rows.values[rows.row_offsets[0]] == 3.0F);
  CHECK(rows.columns[rows.row_offsets[0] + 1] == kNoColumn);
  CHECK(rows.columns[rows.row_offsets[1]] == 3);
  CHECK(rows.columns[rows.row_offsets[1] + 1] == kNoColumn);
  CHECK(input.columns().column_offsets[4] == 2);
}

TEST_CASE("rows that were changed after they had been checked write nowhere else") {
  std::vector<float> values{3, 5, 7};
  std::vector<int64_t> indices{1, 3, 2};
  std::vector<int64_t> offsets{0, 2, 3};
  RowsView x;
  x.data = values.data();
  x.rows = 2;
  x.columns = 4;
  x.offsets = offsets.data();
  x.indices = indices.data();
  x.stored = 3;
  x.wide_offsets = x.wide_indices = true;
  std::vector<int64_t> expected = SparseInput<float>::offsets_of(x);
  SparseInput<float> input(kernels_of<float>("portable"), 2, 4,
                           SparseInput<float>::entries_of_compressed(expected, 2), 1, true);
  input.set_row_offsets(std::move(expected));
  const auto take = [&] {
    input.take(x, {}, {0, 2}, nullptr);
    input.count({0, 2}, {0, 1});
    input.transpose({0, 2}, {0, 1});
    return input.columns().column_offsets[4];
  };
  CHECK(take() == 3);
  offsets = {-5, int64_t{1} << 40, 99};
  CHECK(take() == 3);
  CHECK(input.changed());
  offsets = {0, 2, 3};
  input.set_row_offsets({0, 2, 3});
  CHECK(take() == 3);
  CHECK_FALSE(input.changed());
  for (const int64_t bad : {int64_t{4}, int64_t{-1}, int64_t{1} << 40, int64_t{1}}) {
    indices = {1, bad, 2};
    CHECK(take() == 2);
    CHECK(input.changed());
    input.set_row_offsets({0, 2, 3});
  }
  offsets = {-5, int64_t{1} << 40, 99};
  CHECK_THROWS_WITH_AS(SparseInput<float>::offsets_of(x),
                       "the offsets of compressed rows were changed: that of row 0 is -5, expected "
                       "0 to 3",
                       chainrule::Error);
  float y[8];
  indices = {int64_t{1} << 40, -1, 2};
  expand_rows<float>(x, {}, 2, y, 4);
  CHECK(stored_at(x, 0, 2) == 7.0);  // what there is, wherever the row begins
}

TEST_CASE("compressed rows are written out in any order, zeros and all") {
  Matrix<float> x = batch_of<float>(19, 0.3);
  x(5, 1) = 0.5F;
  const Compressed<float, int64_t> source(x);
  Matrix<float> y(x.rows, kInputs, 7.0F);
  expand_rows<float>(source.view, {source.order.data() + 2, 1}, x.rows - 3, y.data(), y.stride);
  int64_t wrong = 0;
  for (int64_t i = 0; i < x.rows - 3; ++i) {
    for (int64_t j = 0; j < kInputs; ++j) {
      wrong += y(i, j) != x(i + 3, j);
      wrong += stored_at(source.view, x.rows - 1 - i, j) != static_cast<double>(x(i, j));
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("compressed rows that are not whole are refused by their first bad row") {
  std::vector<int32_t> indices{0, 2, 1, 1};
  std::vector<int32_t> offsets{0, 2, 4};
  RowsView x;
  x.rows = 2;
  x.columns = 3;
  x.offsets = offsets.data();
  x.indices = indices.data();
  x.stored = 4;
  chainrule::check_compressed(x, "x");
  CHECK_FALSE(chainrule::has_rising_indices(x));  // row 1 has column 1 twice
  indices[3] = 2;
  CHECK(chainrule::has_rising_indices(x));
  const auto refused = [&](const char* text) {
    CHECK_THROWS_WITH_AS(chainrule::check_compressed(x, "x"), text, chainrule::Error);
  };
  indices[3] = 3;
  refused("x: row 1 has column index 3, expected 0 to 2");
  indices[3] = -1;
  refused("x: row 1 has column index -1, expected 0 to 2");
  indices[3] = 2;
  offsets[2] = 5;
  refused("x: row 1 ends at offset 5, expected 2 to 4");
  offsets[2] = 1;
  refused("x: row 1 ends at offset 1, expected 2 to 4");
  offsets[0] = -1;
  refused("x: the offsets of compressed rows begin with -1, expected 0 or more");
}

TEST_CASE("a batch with more entries than can be counted is refused") {
  CHECK_THROWS_AS(
      SparseInput<float>(kernels_of<float>("portable"), 1, 10, int64_t{1} << 31, 1, false),
      chainrule::Error);
}
