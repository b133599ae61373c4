// SPDX-License-Identifier: Apache-2.0
// Matrices as the kernels take them, numbers to fill them with, and comparison to the last bit.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/dispatch.hpp"

namespace chainrule::testing {

/// What a kernel may read but must not use.
template <class T>
constexpr T kGarbage = std::numeric_limits<T>::quiet_NaN();

template <class T>
int64_t padded_columns(int64_t columns) {
  constexpr int64_t alignment = 64 / static_cast<int64_t>(sizeof(T));
  return (columns + alignment - 1) / alignment * alignment;
}

/// Numbers whose sequence is the same with every standard library.
class Draws {
 public:
  explicit Draws(uint64_t seed) : random_(seed) {}

  uint64_t bits() { return random_(); }
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(random_() >> 11) * 0x1p-53;
  }
  int64_t integer(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random_() % static_cast<uint64_t>(high - low + 1));
  }

 private:
  std::mt19937_64 random_;
};

/// A row-major matrix, each row padded to kRowAlignment.
template <class T>
struct Matrix {
  Matrix(int64_t rows_, int64_t columns_, T padding = T(0))
      : rows(rows_),
        columns(columns_),
        stride(padded_columns<T>(columns_)),
        values(static_cast<size_t>(rows * stride), padding) {}

  T& operator()(int64_t i, int64_t j) { return values[static_cast<size_t>(i * stride + j)]; }
  T operator()(int64_t i, int64_t j) const { return values[static_cast<size_t>(i * stride + j)]; }
  T* data() { return values.data(); }
  const T* data() const { return values.data(); }

  int64_t rows, columns, stride;
  std::vector<T> values;
};

/// Every element from draw(); the padding holds `padding`.
template <class T, class Draw>
Matrix<T> filled(int64_t rows, int64_t columns, T padding, Draw draw) {
  Matrix<T> m(rows, columns, padding);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) m(i, j) = static_cast<T>(draw());
  return m;
}

/// Whether all elements have the same bits; padding does not count.
template <class T>
bool same_bits(const Matrix<T>& a, const Matrix<T>& b) {
  if (a.rows != b.rows || a.columns != b.columns) return false;
  for (int64_t i = 0; i < a.rows; ++i) {
    const auto bytes = static_cast<size_t>(a.columns) * sizeof(T);
    if (std::memcmp(a.data() + i * a.stride, b.data() + i * b.stride, bytes) != 0) return false;
  }
  return true;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// Whether |got - exact| is within `epsilons` roundings of T at max(1, |exact|).
template <class T>
bool near(T got, double exact, double epsilons) {
  const double scale = std::max(1.0, std::abs(exact));
  return std::abs(static_cast<double>(got) - exact) <=
         epsilons * static_cast<double>(std::numeric_limits<T>::epsilon()) * scale;
}

template <class T>
const kernels::KernelTable<T>& kernels_of(const std::string& isa) {
  return kernels::named<T>(isa);
}

/// All instruction sets usable here but the portable one, which the others are compared with.
inline std::vector<std::string> vector_isas() {
  std::vector<std::string> names = kernels::available();
  names.pop_back();
  return names;
}

}  // namespace chainrule::testing
