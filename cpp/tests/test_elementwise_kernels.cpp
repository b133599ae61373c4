// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <string>

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

}  // namespace

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
