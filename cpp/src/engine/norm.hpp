// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "engine/stages/stage.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// The 2-norm behind a sum of squares, of numbers of type T in any order, rounded up. A sum never
/// falls, so it is at least each square; those of smaller numbers, `count` of them, are flushed to
/// zero.
template <class T>
double norm_from(double sum_of_squares, std::int64_t count = 1) {
  constexpr double rounding = 1.001;
  const double flushed = static_cast<double>(count) * double{std::numeric_limits<T>::min()};
  return rounding * std::sqrt(sum_of_squares) + std::sqrt(flushed);
}

/// The 2-norm of a tensor's first rows, without the padding; infinite or NaN where it is not
/// finite.
template <class T>
double norm_of(const kernels::KernelTable<T>& kernels, const Tensor<T>& x, std::int64_t rows) {
  const std::int64_t whole = x.columns / kernels::kRowAlignment<T> * kernels::kRowAlignment<T>;
  double sum = 0.0;
  for (std::int64_t i = 0; i < rows; ++i) {
    const T* row = x.row(i);
    if (whole > 0) sum += double{kernels.sum_of_squares(row, whole)};
    for (std::int64_t j = whole; j < x.columns; ++j) sum += double{row[j]} * double{row[j]};
  }
  return norm_from<T>(sum, rows * x.columns);
}

}  // namespace chainrule::engine
