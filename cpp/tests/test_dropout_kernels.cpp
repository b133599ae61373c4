// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <string>

#include "chainrule/random.hpp"
#include "matrices.hpp"

namespace {

using chainrule::RandomUse;
using namespace chainrule::kernels;
using namespace chainrule::testing;

constexpr uint64_t kSeed = 0xfedcba9876543210;
constexpr uint64_t kStream = uint64_t{5} << 48 | 0x123456789a;
constexpr auto kUse = static_cast<uint32_t>(RandomUse::dropout);

/// Rows [first, first + factors.rows).
template <class T>
Matrix<T> factors_of(const std::string& isa, int64_t first, int64_t rows, int64_t columns,
                     uint32_t threshold) {
  Matrix<T> m(rows, columns);
  kernels_of<T>(isa).dropout_factors(
      {kSeed, kUse, kStream, threshold, first, first + rows, columns}, T(1.25),
      m.data() - first * m.stride, m.stride);
  return m;
}

template <class T>
void check_words(const std::string& isa, int64_t first) {
  constexpr uint32_t threshold = 0x33333333;
  for (int64_t columns = 1; columns <= 70; ++columns) {
    CAPTURE(columns);
    const Matrix<T> factors = factors_of<T>(isa, first, 3, columns, threshold);
    Matrix<T> expected(3, columns);
    const int64_t blocks_per_row = (columns + 3) / 4;
    for (int64_t i = 0; i < 3; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        const auto block = static_cast<uint64_t>((first + i) * blocks_per_row + j / 4);
        const std::array<uint32_t, 4> words =
            chainrule::random_block(kSeed, RandomUse::dropout, kStream, block);
        expected(i, j) = words[static_cast<size_t>(j % 4)] < threshold ? T(0) : T(1.25);
      }
    CHECK(same_bits(factors, expected));
  }
}

}  // namespace

TEST_CASE("dropout's factors are words of the library's random stream") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    for (const int64_t first : {int64_t{0}, int64_t{7}, int64_t{1} << 31}) {
      CAPTURE(first);
      check_words<float>(isa, first);
      check_words<double>(isa, first);
    }
  }
}

TEST_CASE("dropout drops its share") {
  for (const double rate : {0.1, 0.5, 0.9}) {
    CAPTURE(rate);
    constexpr int64_t rows = 200, columns = 100;
    const auto threshold = static_cast<uint32_t>(std::ldexp(rate, 32));
    const Matrix<float> factors = factors_of<float>("portable", 0, rows, columns, threshold);
    int64_t dropped = 0;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) dropped += factors(i, j) == 0.0f;
    const double n = rows * columns;
    CHECK(std::abs(static_cast<double>(dropped) / n - rate) < 5 * std::sqrt(rate * (1 - rate) / n));
  }
}
