// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "matrices.hpp"

namespace {

using namespace chainrule::kernels;
using namespace chainrule::testing;

constexpr int64_t kRows = 3;

template <class T>
Matrix<T> numbered(int64_t rows, int64_t columns, T padding) {
  double next = 0;
  return filled<T>(rows, columns, padding, [&] { return next += 1; });
}

/// The numbers of a batch's rows in `columns` columns, whatever they lie in.
template <class T>
Matrix<T> in_rows_of(const Matrix<T>& x, int64_t columns) {
  Matrix<T> y(x.rows * x.columns / columns, columns);
  for (int64_t k = 0; k < x.rows * x.columns; ++k)
    y(k / columns, k % columns) = x(k / x.columns, k % x.columns);
  return y;
}

template <class T>
void check_reshape(const std::string& isa) {
  const int64_t sizes[][3] = {{12, 12, 1}, {12, 1, 12},  {12, 3, 4},   {12, 4, 6},
                              {48, 16, 8}, {48, 16, 16}, {102, 17, 6}, {400, 40, 100}};
  for (const auto& numbers : sizes) {
    const int64_t size = numbers[0], x_columns = numbers[1], y_columns = numbers[2];
    CAPTURE(size);
    CAPTURE(y_columns);
    const Matrix<T> x = numbered<T>(kRows * size / x_columns, x_columns, kGarbage<T>);
    Matrix<T> y(kRows * size / y_columns, y_columns, kGarbage<T>);
    kernels_of<T>(isa).reshape(
        {kRows, size, x.data(), x_columns, x.stride, y.data(), y_columns, y.stride});
    CHECK(same_bits(y.values, in_rows_of(x, y_columns).values));
  }
}

/// (t x f) to (f x t) for each of the rows.
template <class T>
void check_transpose(const std::string& isa, int64_t times, int64_t features) {
  const Matrix<T> x = numbered<T>(kRows * times, features, kGarbage<T>);
  Matrix<T> y(kRows * features, times, kGarbage<T>), expected(kRows * features, times);
  for (int64_t i = 0; i < kRows; ++i)
    for (int64_t t = 0; t < times; ++t)
      for (int64_t j = 0; j < features; ++j) expected(i * features + j, t) = x(i * times + t, j);
  const int64_t zero = 0;
  const PermuteShape f{.transposes = true,
                       .blocks = 1,
                       .x_offsets = &zero,
                       .y_offsets = &zero,
                       .x_columns = features,
                       .x_step = x.stride,
                       .y_columns = times,
                       .y_step = y.stride,
                       .x_row = times * x.stride,
                       .y_row = features * y.stride,
                       .y_stride = y.stride};
  kernels_of<T>(isa).permute(f, kRows, x.data(), y.data());
  CHECK(same_bits(y.values, expected.values));
}

/// (h x w x c) to (w x h x c), whose last axis stays.
template <class T>
void check_row_order(const std::string& isa, int64_t columns) {
  constexpr int64_t height = 3, width = 4;
  const Matrix<T> x = numbered<T>(kRows * height * width, columns, kGarbage<T>);
  Matrix<T> y(x.rows, columns, kGarbage<T>), expected(x.rows, columns);
  std::vector<int64_t> from, to;
  for (int64_t h = 0; h < height; ++h)
    for (int64_t w = 0; w < width; ++w) {
      from.push_back((h * width + w) * x.stride);
      to.push_back((w * height + h) * y.stride);
      for (int64_t i = 0; i < kRows; ++i)
        for (int64_t j = 0; j < columns; ++j)
          expected((i * width + w) * height + h, j) = x((i * height + h) * width + w, j);
    }
  const PermuteShape f{.transposes = false,
                       .blocks = height * width,
                       .x_offsets = from.data(),
                       .y_offsets = to.data(),
                       .x_columns = columns,
                       .x_step = 0,
                       .y_columns = columns,
                       .y_step = 0,
                       .x_row = height * width * x.stride,
                       .y_row = height * width * y.stride,
                       .y_stride = y.stride};
  kernels_of<T>(isa).permute(f, kRows, x.data(), y.data());
  CHECK(same_bits(y.values, expected.values));
}

template <class T>
void check_positions(const std::string& isa, int64_t columns) {
  constexpr int64_t positions = 5;
  Draws draws(static_cast<uint64_t>(columns));
  const auto draw = [&] { return draws.uniform(-2, 2); };
  const Matrix<T> x = filled<T>(kRows * positions, columns, T(0), draw);
  Matrix<T> sums(kRows, columns), expected_sums(kRows, columns);
  Matrix<T> repeated(x.rows, columns), expected_repeated(x.rows, columns);
  for (int64_t i = 0; i < kRows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      T sum = T(0);
      for (int64_t p = 0; p < positions; ++p) sum += x(i * positions + p, j);
      expected_sums(i, j) = sum / T(7);
      for (int64_t p = 0; p < positions; ++p)
        expected_repeated(i * positions + p, j) = x(i, j) / T(7);
    }
  const PositionsArgs<T> f{kRows, positions, x.stride, T(7)};
  kernels_of<T>(isa).sum_positions(f, x.data(), sums.data());
  kernels_of<T>(isa).repeat_positions(f, x.data(), repeated.data());
  CHECK(same_bits(sums.values, expected_sums.values));
  CHECK(same_bits(repeated.values, expected_repeated.values));
}

template <class T>
void check_all(const std::string& isa) {
  check_reshape<T>(isa);
  for (const int64_t columns : {1, 3, 8, 16, 17, 63, 64, 65, 130}) {
    CAPTURE(columns);
    check_row_order<T>(isa, columns);
    check_positions<T>(isa, columns);
    for (const int64_t times : {1, 2, 16, 19, 40}) check_transpose<T>(isa, times, columns);
  }
}

}  // namespace

TEST_CASE("reshape, permute and sums over positions take every number to its place") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_all<float>(isa);
    check_all<double>(isa);
  }
}
