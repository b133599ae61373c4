// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
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
  // Whole vectors only: the kernel has no tails, and the padding of a tensor's values means
  // nothing.
  constexpr std::int64_t row_alignment = kernels::kRowAlignment<T>;
  // So few that the rounding of their sum in T is far below the tolerance of `norm_from`.
  constexpr std::int64_t most_at_once = 1 << 14;
  double sum = 0.0;
  if (x.stride == x.columns &&
      x.columns % row_alignment == 0) {  // rows without padding are one piece
    const std::int64_t size = rows * x.columns;
    for (std::int64_t i = 0; i < size; i += most_at_once)
      sum += double{kernels.sum_of_squares(x.data + i, std::min(most_at_once, size - i))};
    return norm_from<T>(sum, size);
  }
  const std::int64_t whole = x.columns / row_alignment * row_alignment;
  for (std::int64_t i = 0; i < rows; ++i) {
    const T* row = x.row(i);
    if (whole > 0) sum += double{kernels.sum_of_squares(row, whole)};
    for (std::int64_t j = whole; j < x.columns; ++j) sum += double{row[j]} * double{row[j]};
  }
  return norm_from<T>(sum, rows * x.columns);
}

}  // namespace chainrule::engine
