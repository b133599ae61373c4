// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <string>

#include "chainrule/random.hpp"
#include "matrices.hpp"
#include "model/normal_quantile.hpp"

namespace {

using chainrule::RandomUse;
using namespace chainrule::kernels;
using namespace chainrule::testing;

constexpr uint64_t kSeed = 0xfedcba9876543210;
constexpr uint64_t kStream = uint64_t{5} << 48 | 0x123456789a;

template <class T>
void check_rows(const std::string& isa, int64_t first, int64_t columns) {
  constexpr int64_t rows = 3;
  constexpr double stddev = 0.3;
  Draws draws(static_cast<uint64_t>(columns));
  const Matrix<T> x = filled<T>(rows, columns, T(0), [&] { return draws.uniform(-1, 1); });
  Matrix<T> y(rows, columns, kGarbage<T>), expected(rows, columns);
  const int64_t blocks_per_row = (columns + 3) / 4;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      const auto block = static_cast<uint64_t>((first + i) * blocks_per_row + j / 4);
      const uint32_t word = chainrule::random_block(kSeed, RandomUse::noise, kStream,
                                                    block)[static_cast<size_t>(j % 4)];
      const double variate =
          chainrule::model::normal_quantile((static_cast<double>(word) + 0.5) * 0x1p-32);
      expected(i, j) = x(i, j) + static_cast<T>(stddev * variate);
    }
  const RandomRows f{kSeed,  static_cast<uint32_t>(RandomUse::noise), kStream, first, first + rows,
                     columns};
  const int64_t offset = first * x.stride;
  kernels_of<T>(isa).gaussian_noise(f, stddev, x.data() - offset, y.data() - offset, x.stride);
  CHECK(same_bits(y.values, expected.values));
}

template <class T>
void check_moments(const std::string& isa) {
  constexpr int64_t rows = 400, columns = 500;
  const Matrix<T> zeros(rows, columns);
  Matrix<T> y(rows, columns);
  kernels_of<T>(isa).gaussian_noise(
      {kSeed, static_cast<uint32_t>(RandomUse::noise), kStream, 0, rows, columns}, 2.0,
      zeros.data(), y.data(), y.stride);
  double sum = 0, squares = 0, fourths = 0;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      const double z = static_cast<double>(y(i, j)) / 2.0;
      sum += z;
      squares += z * z;
      fourths += z * z * z * z;
    }
  const double n = rows * columns;
  CHECK(std::abs(sum / n) < 5 / std::sqrt(n));
  CHECK(std::abs(squares / n - 1) < 5 * std::sqrt(2 / n));
  CHECK(std::abs(fourths / n - 3) < 5 * std::sqrt(96 / n));
}

}  // namespace

TEST_CASE("Gaussian noise is the normal quantile of the library's random words") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    for (int64_t columns = 1; columns <= 70; ++columns) {
      CAPTURE(columns);
      for (const int64_t first : {int64_t{0}, int64_t{7}}) {
        check_rows<float>(isa, first, columns);
        check_rows<double>(isa, first, columns);
      }
    }
    check_rows<double>(isa, 1 << 20, 2000);
  }
}

TEST_CASE("Gaussian noise has the moments of a normal distribution") {
  check_moments<float>(available().front());
  check_moments<double>(available().front());
}
