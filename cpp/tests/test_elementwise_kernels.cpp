// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "matrices.hpp"

namespace {

using namespace chainrule::kernels;
using namespace chainrule::testing;

template <class T>
Matrix<T> draw_matrix(int64_t rows, int64_t columns, uint64_t seed) {
  Draws draws(seed);
  return filled<T>(rows, columns, T(0), [&] { return draws.uniform(-3, 3); });
}

template <class T>
void check_accumulate(const std::string& isa) {
  for (int64_t columns = 1; columns <= 40; ++columns) {
    CAPTURE(columns);
    const Matrix<T> x = draw_matrix<T>(3, columns, 1);
    Matrix<T> y = draw_matrix<T>(3, columns, 2);
    Matrix<T> expected = y;
    for (int64_t i = 0; i < 3; ++i)
      for (int64_t j = 0; j < columns; ++j) expected(i, j) = y(i, j) + x(i, j);
    kernels_of<T>(isa).accumulate(x.data(), y.data(), 3 * x.stride);
    CHECK(same_bits(y.values, expected.values));
  }
}

template <class T>
void check_multiply(const std::string& isa) {
  for (int64_t columns = 1; columns <= 40; ++columns) {
    CAPTURE(columns);
    const Matrix<T> a = draw_matrix<T>(3, columns, 1);
    const Matrix<T> b = draw_matrix<T>(3, columns, 2);
    Matrix<T> y(3, columns), expected(3, columns);
    for (int64_t i = 0; i < 3; ++i)
      for (int64_t j = 0; j < columns; ++j) expected(i, j) = a(i, j) * b(i, j);
    kernels_of<T>(isa).multiply(a.data(), b.data(), y.data(), 3 * a.stride);
    CHECK(same_bits(y.values, expected.values));
  }
}

template <class T>
void check_clip(const std::string& isa) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const std::pair<T, T> limits[] = {
      {T(-1), T(0.5)}, {T(-1), T(-1)}, {-infinity, T(1)}, {T(0), infinity}};
  for (const std::pair<T, T>& pair : limits) {
    const T low = pair.first, high = pair.second;
    CAPTURE(low);
    CAPTURE(high);
    Matrix<T> x = draw_matrix<T>(3, 21, 4);
    x(0, 0) = low;
    x(0, 1) = high;
    x(0, 2) = -infinity;
    x(0, 3) = infinity;
    const Matrix<T> dy = draw_matrix<T>(3, 21, 5);
    Matrix<T> y(3, 21), dx(3, 21);
    kernels_of<T>(isa).clip(low, high, x.data(), y.data(), 3 * x.stride);
    kernels_of<T>(isa).clip_backward(low, high, x.data(), dy.data(), dx.data(), 3 * x.stride);
    for (int64_t i = 0; i < 3; ++i)
      for (int64_t j = 0; j < 21; ++j) {
        CHECK(y(i, j) == std::clamp(x(i, j), low, high));
        CHECK(dx(i, j) == (x(i, j) >= low && x(i, j) <= high ? dy(i, j) : T(0)));
      }
    for (int64_t j = 21; j < dx.stride; ++j) CHECK(dx(2, j) == T(0));
    x(0, 0) = kGarbage<T>;
    kernels_of<T>(isa).clip(low, high, x.data(), y.data(), x.stride);
    CHECK(std::isnan(y(0, 0)));
  }
}

template <class T>
void check_smooth_clip(const std::string& isa) {
  for (const int64_t columns : {1, 5, 16, 33}) {
    CAPTURE(columns);
    Matrix<T> x = draw_matrix<T>(4, columns, 8);
    const Matrix<T> dy = draw_matrix<T>(4, columns, 9);
    Matrix<T> rate(1, columns), fill(1, columns), y(4, columns), dx(4, columns);
    for (int64_t j = 0; j < columns; ++j) rate(0, j) = j % 2 == 0 ? T(0.4) : T(0);
    for (int64_t j = 0; j < columns; ++j) fill(0, j) = j % 3 == 0 ? T(0) : kGarbage<T>;
    x(0, 0) = T(1e30);  // whose square overflows float
    x(1, 0) = kGarbage<T>;
    x(2, columns - 1) = kGarbage<T>;
    kernels_of<T>(isa).smooth_clip(
        {4, columns, rate.data(), fill.data(), x.data(), x.stride, y.data(), y.stride});
    kernels_of<T>(isa).smooth_clip_backward(
        {4, columns, rate.data(), x.data(), dx.data(), x.stride, dy.data(), dy.stride});
    for (int64_t i = 0; i < 4; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        if (std::isnan(x(i, j))) {
          CHECK((y(i, j) == fill(0, j) || (std::isnan(y(i, j)) && std::isnan(fill(0, j)))));
          CHECK(dx(i, j) == T(0));
          continue;
        }
        const T r = x(i, j) * rate(0, j);
        const T root = std::sqrt(std::fma(r, r, T(1)));
        const bool far = std::abs(r) > T(1073741824.0);
        CHECK(y(i, j) == x(i, j) / (far ? std::abs(r) : root));
        const T inverse = T(1) / root;
        CHECK(dx(i, j) == dy(i, j) * (inverse * inverse * inverse));
      }
  }
}

template <class T>
void check_scale_gradient(const std::string& isa) {
  for (const int64_t columns : {1, 16, 17, 40}) {
    const Matrix<T> x = draw_matrix<T>(9, columns, 6);
    const Matrix<T> dy = draw_matrix<T>(9, columns, 7);
    Matrix<T> ds(1, columns, T(1)), expected(1, columns, T(1));
    // All but the last kRowAlignment columns.
    const int64_t end = padded_columns<T>(columns) - padded_columns<T>(1);
    for (int64_t j = 0; j < end; ++j) {
      expected(0, j) = T(0);
      for (int64_t i = 0; i < 9; ++i) expected(0, j) = std::fma(dy(i, j), x(i, j), expected(0, j));
    }
    kernels_of<T>(isa).scale_gradient(x.data(), dy.data(), x.stride, 9, 0, end, ds.data());
    CHECK(same_bits(ds.values, expected.values));
    for (int64_t j = end; j < columns; ++j) {
      expected(0, j) = T(0);
      for (int64_t i = 0; i < 9; ++i) expected(0, j) = std::fma(dy(i, j), x(i, j), expected(0, j));
    }
    kernels_of<T>(isa).scale_gradient(x.data(), dy.data(), x.stride, 9, end, x.stride, ds.data());
    CHECK(same_bits(ds, expected));
  }
}

}  // namespace

TEST_CASE("a smooth clip has the limits of its columns, and puts what it is told for NaN") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_smooth_clip<float>(isa);
    check_smooth_clip<double>(isa);
  }
}

TEST_CASE("clip limits, passes NaN on, and its gradient is dy within the limits") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_clip<float>(isa);
    check_clip<double>(isa);
  }
}

TEST_CASE("a factor's gradient is summed over the rows in their order, for the columns asked for") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_scale_gradient<float>(isa);
    check_scale_gradient<double>(isa);
  }
}

TEST_CASE("multiply gives the products of two buffers") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_multiply<float>(isa);
    check_multiply<double>(isa);
  }
}

TEST_CASE("accumulate adds a buffer to another, and zeros of the padding stay") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_accumulate<float>(isa);
    check_accumulate<double>(isa);
  }
}
