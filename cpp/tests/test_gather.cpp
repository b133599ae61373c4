// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "matrices.hpp"

namespace {

using namespace chainrule::kernels;
using namespace chainrule::testing;

template <class S>
constexpr DataType kDataType = DataType::uint8;
template <>
constexpr DataType kDataType<float> = DataType::float32;
template <>
constexpr DataType kDataType<double> = DataType::float64;
template <>
constexpr DataType kDataType<int32_t> = DataType::int32;
template <>
constexpr DataType kDataType<int64_t> = DataType::int64;

struct Layout {
  const char* name;
  int64_t row_stride, column_stride;  // in bytes, or 0 for what a packed array has
  int64_t first_byte;                 // of element (0, 0)
};

constexpr int64_t kRows = 9;
constexpr int64_t kColumns = 21;
constexpr int64_t kBytes = 8192;

/// The ways in which arrays lie in memory: sliced, reversed, transposed, inside records (where
/// elements are at odd addresses), one row broadcast.
template <class S>
std::vector<Layout> layouts() {
  constexpr auto size = static_cast<int64_t>(sizeof(S));
  return {{"packed", kColumns * size, size, 0},
          {"rows backwards", -kColumns * size, size, (kRows - 1) * kColumns * size},
          {"every third column", 3 * kColumns * size, 3 * size, 0},
          {"columns backwards", kColumns * size, -size, (kColumns - 1) * size},
          {"transposed", size, kRows * size, 0},
          {"in records", 21 * size + 13, size, 3},
          {"in odd records", kColumns * (size + 3) + 1, size + 3, 1},
          {"one row", 0, size, 0}};
}

template <class T, class S>
void check(const std::string& isa, const Layout& layout, bool scaled, bool ordered) {
  Draws draws(5);
  std::vector<char> memory(kBytes);
  const auto address = [&](int64_t row, int64_t column) {
    return memory.data() + layout.first_byte + row * layout.row_stride +
           column * layout.column_stride;
  };
  for (int64_t i = 0; i < kRows; ++i)
    for (int64_t j = 0; j < kColumns; ++j) {
      const S value = static_cast<S>(sizeof(S) == 1 ? draws.uniform(0, 256) : draws.uniform(-9, 9));
      std::memcpy(address(i, j), &value, sizeof(S));
    }
  const std::vector<int64_t> order{8, 8, 0, 3, 5, 1, 7};
  const Matrix<T> scale = filled<T>(1, kColumns, T(0), [&] { return draws.uniform(-2, 2); });
  const Matrix<T> offset = filled<T>(1, kColumns, T(0), [&] { return draws.uniform(-2, 2); });
  constexpr int64_t first = 2;
  const int64_t rows = ordered ? 5 : kRows - first;
  Matrix<T> y(rows + 1, kColumns, T(0));
  kernels_of<T>(isa).gather({kDataType<S>, address(0, 0), layout.row_stride, layout.column_stride,
                             ordered ? order.data() : nullptr, first, rows, kColumns,
                             scaled ? scale.data() : nullptr, scaled ? offset.data() : nullptr,
                             y.data(), y.stride});
  Matrix<T> expected(rows + 1, kColumns, T(0));
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t row = ordered ? order[static_cast<size_t>(first + i)] : first + i;
    for (int64_t j = 0; j < kColumns; ++j) {
      S value;
      std::memcpy(&value, address(row, j), sizeof(S));
      expected(i, j) = static_cast<T>(value);
      if (scaled) expected(i, j) = std::fma(expected(i, j), scale(0, j), offset(0, j));
    }
  }
  CHECK(same_bits(y, expected));
}

template <class T, class S>
void check_all(const std::string& isa) {
  for (const Layout& layout : layouts<S>())
    for (const bool scaled : {false, true})
      for (const bool ordered : {false, true}) {
        CAPTURE(layout.name);
        CAPTURE(scaled);
        CAPTURE(ordered);
        check<T, S>(isa, layout, scaled, ordered);
      }
}

template <class T>
void check_affine(const std::string& isa) {
  Draws draws(6);
  const auto draw = [&] { return draws.uniform(-2, 2); };
  const Matrix<T> x = filled<T>(3, kColumns, T(0), draw);
  const Matrix<T> scale = filled<T>(1, kColumns, T(0), draw);
  const Matrix<T> offset = filled<T>(1, kColumns, T(0), draw);
  for (const bool shifted : {false, true}) {
    Matrix<T> y(3, kColumns);
    kernels_of<T>(isa).affine(x.data(), scale.data(), shifted ? offset.data() : nullptr, y.data(),
                              3, kColumns, x.stride);
    for (int64_t i = 0; i < 3; ++i)
      for (int64_t j = 0; j < kColumns; ++j)
        CHECK(y(i, j) == std::fma(x(i, j), scale(0, j), shifted ? offset(0, j) : T(0)));
  }
}

}  // namespace

TEST_CASE("gather converts rows of any type, layout and order") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_all<float, uint8_t>(isa);
    check_all<float, float>(isa);
    check_all<float, double>(isa);
    check_all<float, int32_t>(isa);
    check_all<float, int64_t>(isa);
    check_all<double, uint8_t>(isa);
    check_all<double, float>(isa);
    check_all<double, double>(isa);
    check_all<double, int32_t>(isa);
    check_all<double, int64_t>(isa);
  }
}

TEST_CASE("affine rounds once, as gather does") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_affine<float>(isa);
    check_affine<double>(isa);
  }
}
