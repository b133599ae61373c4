// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "matrices.hpp"

namespace {

using namespace chainrule::kernels;
using namespace chainrule::testing;

constexpr MergeKind kKinds[] = {MergeKind::add, MergeKind::subtract, MergeKind::multiply,
                                MergeKind::average, MergeKind::maximum};

/// Numbers of which many are equal, so that largest ones are shared.
template <class T>
Matrix<T> coarse(int64_t rows, int64_t columns, uint64_t seed, T padding = T(0)) {
  Draws draws(seed);
  return filled<T>(rows, columns, padding,
                   [&] { return static_cast<double>(draws.integer(-4, 4)) * 0.3; });
}

template <class T>
T merged(MergeKind kind, const std::vector<T>& x) {
  T y = x[0];
  for (size_t k = 1; k < x.size(); ++k) {
    if (kind == MergeKind::add || kind == MergeKind::average) y = y + x[k];
    if (kind == MergeKind::subtract) y = y - x[k];
    if (kind == MergeKind::multiply) y = y * x[k];
    if (kind == MergeKind::maximum && x[k] > y) y = x[k];
  }
  return kind == MergeKind::average ? y / static_cast<T>(x.size()) : y;
}

template <class T>
T merged_gradient(MergeKind kind, const std::vector<T>& x, size_t which, T dy) {
  if (kind == MergeKind::subtract) return which == 0 ? dy : -dy;
  if (kind == MergeKind::average) return dy / static_cast<T>(x.size());
  if (kind == MergeKind::multiply) {
    for (size_t k = 0; k < x.size(); ++k)
      if (k != which) dy = dy * x[k];
    return dy;
  }
  if (kind == MergeKind::maximum) {
    for (size_t k = 0; k < which; ++k)
      if (x[k] >= x[which]) return T(0);
    for (size_t k = which + 1; k < x.size(); ++k)
      if (x[k] > x[which]) return T(0);
  }
  return dy;
}

template <class T>
void check_merge(const std::string& isa, MergeKind kind, int64_t count, int64_t columns) {
  constexpr int64_t rows = 3;
  std::vector<Matrix<T>> xs, dxs, expected_dxs;
  std::vector<const T*> x_pointers;
  std::vector<T*> dx_pointers;
  for (int64_t k = 0; k < count; ++k)
    xs.push_back(coarse<T>(rows, columns, 10 + static_cast<uint64_t>(k)));
  dxs.assign(static_cast<size_t>(count), Matrix<T>(rows, columns));
  expected_dxs = dxs;
  for (int64_t k = 0; k < count; ++k) {
    x_pointers.push_back(xs[static_cast<size_t>(k)].data());
    // The second's gradient is not wanted.
    dx_pointers.push_back(k == 1 ? nullptr : dxs[static_cast<size_t>(k)].data());
  }
  const Matrix<T> dy = coarse<T>(rows, columns, 9);
  Matrix<T> y(rows, columns), expected(rows, columns);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      std::vector<T> x(xs.size());
      for (size_t k = 0; k < x.size(); ++k) x[k] = xs[k](i, j);
      expected(i, j) = merged(kind, x);
      for (size_t k = 0; k < x.size(); ++k)
        if (k != 1) expected_dxs[k](i, j) = merged_gradient(kind, x, k, dy(i, j));
    }
  const MergeArgs<T> f{kind, count, x_pointers.data(), rows * y.stride};
  kernels_of<T>(isa).merge_forward(f, y.data());
  kernels_of<T>(isa).merge_backward(f, dy.data(), dx_pointers.data());
  CHECK(same_bits(y, expected));
  for (size_t k = 0; k < dxs.size(); ++k) {
    CAPTURE(k);
    CHECK(same_bits(dxs[k], expected_dxs[k]));
    for (int64_t j = columns; j < y.stride; ++j) CHECK(dxs[k](rows - 1, j) == T(0));
  }
}

template <class T>
void check_merges(const std::string& isa) {
  for (const MergeKind kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    for (const int64_t count : {2, 3, 5}) {
      if (kind == MergeKind::subtract && count > 2) continue;
      for (const int64_t columns : {1, 7, 16, 17, 40}) {
        CAPTURE(count);
        CAPTURE(columns);
        check_merge<T>(isa, kind, count, columns);
      }
    }
  }
}

template <class T>
void check_second_gradient(const std::string& isa, MergeKind kind) {
  const Matrix<T> a = coarse<T>(2, 5, 1), b = coarse<T>(2, 5, 2), dy = coarse<T>(2, 5, 3);
  Matrix<T> db(2, 5);
  const std::array<const T*, 2> xs{a.data(), b.data()};
  const std::array<T*, 2> dxs{nullptr, db.data()};
  kernels_of<T>(isa).merge_backward({kind, 2, xs.data(), 2 * a.stride}, dy.data(), dxs.data());
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < 5; ++j)
      CHECK(db(i, j) == merged_gradient<T>(kind, {a(i, j), b(i, j)}, 1, dy(i, j)));
}

template <class T>
void check_nan_maximum(const std::string& isa) {
  constexpr T nan = std::numeric_limits<T>::quiet_NaN();
  constexpr T inf = std::numeric_limits<T>::infinity();
  // columns: NaN first, NaN behind a number, NaN before a number, two NaN, infinities
  Matrix<T> xs[3] = {Matrix<T>(1, 5), Matrix<T>(1, 5), Matrix<T>(1, 5)};
  const T values[3][5] = {{nan, 1, 2, 5, -inf}, {7, nan, nan, nan, -inf}, {inf, 3, inf, nan, inf}};
  const int chosen[5] = {0, 1, 1, 1, 2};
  std::array<const T*, 3> x_pointers{};
  std::array<T*, 3> dx_pointers{};
  Matrix<T> dxs[3] = {Matrix<T>(1, 5), Matrix<T>(1, 5), Matrix<T>(1, 5)};
  for (size_t k = 0; k < 3; ++k) {
    for (int64_t j = 0; j < 5; ++j) xs[k](0, j) = values[k][j];
    x_pointers[k] = xs[k].data();
    dx_pointers[k] = dxs[k].data();
  }
  const Matrix<T> dy = filled<T>(1, 5, T(0), [] { return 2.0; });
  Matrix<T> y(1, 5);
  const MergeArgs<T> f{MergeKind::maximum, 3, x_pointers.data(), y.stride};
  kernels_of<T>(isa).merge_forward(f, y.data());
  kernels_of<T>(isa).merge_backward(f, dy.data(), dx_pointers.data());
  for (int64_t j = 0; j < 4; ++j) CHECK(std::isnan(y(0, j)));
  CHECK(y(0, 4) == inf);
  for (int k = 0; k < 3; ++k)
    for (int64_t j = 0; j < 5; ++j) CHECK(dxs[k](0, j) == (chosen[j] == k ? T(2) : T(0)));
}

template <class T>
void check_copy_columns(const std::string& isa) {
  constexpr int64_t rows = 3;
  for (const int64_t columns : {1, 5, 16, 17, 40})
    for (const int64_t first : {0, 3, 16}) {
      CAPTURE(columns);
      CAPTURE(first);
      const Matrix<T> x = coarse<T>(rows, columns, 8, kGarbage<T>);
      Matrix<T> y = coarse<T>(rows, columns + 30, 9), expected = y;
      kernels_of<T>(isa).copy_columns(x.data(), x.stride, y.data() + first, y.stride, rows,
                                      columns);
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) expected(i, first + j) = x(i, j);
      CHECK(same_bits(y.values, expected.values));
    }
}

/// The fixed tree of sums, term by term.
template <class T>
T tree_dot(const T* a, const T* b, int64_t n) {
  T sums[16] = {};
  for (int64_t j = 0; j < n; ++j) sums[j % 16] = std::fma(a[j], b[j], sums[j % 16]);
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
  return sums[0];
}

template <class T>
void check_dot(const std::string& isa, int64_t a_positions, int64_t b_positions, int64_t columns) {
  constexpr int64_t rows = 3;
  Draws draws(static_cast<uint64_t>(columns));
  const auto draw = [&] { return draws.uniform(-2, 2); };
  const Matrix<T> a = filled<T>(rows * a_positions, columns, T(3), draw);
  const Matrix<T> b = filled<T>(rows * b_positions, columns, T(5), draw);
  const Matrix<T> dy = filled<T>(rows * a_positions, b_positions, T(7), draw);
  Matrix<T> y(rows * a_positions, b_positions, kGarbage<T>), expected(y.rows, b_positions);
  Matrix<T> da(a.rows, columns, kGarbage<T>), expected_da(a.rows, columns);
  Matrix<T> db(b.rows, columns, kGarbage<T>), expected_db(b.rows, columns);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t p = 0; p < a_positions; ++p)
      for (int64_t q = 0; q < b_positions; ++q) {
        const int64_t ap = i * a_positions + p, bq = i * b_positions + q;
        expected(ap, q) = tree_dot(a.data() + ap * a.stride, b.data() + bq * b.stride, columns);
        for (int64_t j = 0; j < columns; ++j) {
          expected_da(ap, j) = std::fma(dy(ap, q), b(bq, j), expected_da(ap, j));
          expected_db(bq, j) = std::fma(dy(ap, q), a(ap, j), expected_db(bq, j));
        }
      }
  const DotArgs<T> f{rows,     a_positions, b_positions, columns,
                     a.stride, y.stride,    a.data(),    b.data()};
  kernels_of<T>(isa).dot_forward(f, y.data());
  CHECK(same_bits(y.values, expected.values));
  kernels_of<T>(isa).dot_backward(f, dy.data(), da.data(), nullptr);
  CHECK(same_bits(da.values, expected_da.values));
  kernels_of<T>(isa).dot_backward(f, dy.data(), nullptr, db.data());
  CHECK(same_bits(db.values, expected_db.values));
}

template <class T>
void check_dots(const std::string& isa) {
  for (const int64_t columns : {1, 2, 5, 8, 15, 16, 17, 31, 33, 100}) {
    CAPTURE(columns);
    check_dot<T>(isa, 1, 1, columns);
    check_dot<T>(isa, 3, 5, columns);
    check_dot<T>(isa, 17, 2, columns);
  }
}

}  // namespace

TEST_CASE("merges and their gradients equal their formulas, the first of equal maxima taking all") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_merges<float>(isa);
    check_merges<double>(isa);
    for (const MergeKind kind : kKinds) {
      CAPTURE(static_cast<int>(kind));
      check_second_gradient<float>(isa, kind);
      check_second_gradient<double>(isa, kind);
    }
  }
}

TEST_CASE("a maximum with a NaN is NaN, and its gradient goes to the first of them") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_nan_maximum<float>(isa);
    check_nan_maximum<double>(isa);
  }
}

TEST_CASE("copied columns come to their place, and nothing else changes") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_copy_columns<float>(isa);
    check_copy_columns<double>(isa);
  }
}

TEST_CASE("dot sums in the fixed tree, its gradients over positions in their order") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_dots<float>(isa);
    check_dots<double>(isa);
  }
}
