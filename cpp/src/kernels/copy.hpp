// SPDX-License-Identifier: Apache-2.0
// Copies between rows of different lengths.
#pragma once

#include "kernels/simd.hpp"

namespace {

/// y(j) = x(j) for j < n, whatever their alignment; a call of memcpy would take longer for the few
/// numbers of most rows.
template <class T>
CHAINRULE_INLINE void copy_numbers(const T* x, T* y, int64_t n) {
  int64_t j = 0;
  for (; j + kLanes<T> <= n; j += kLanes<T>) store(y + j, load(x + j));
  for (; j < n; ++j) y[j] = x[j];
}

/// Zeros behind a row's `columns` numbers, up to its stride.
template <class T>
CHAINRULE_INLINE void clear_padding(T* row, int64_t columns, int64_t stride) {
  for (int64_t j = columns; j < stride; ++j) row[j] = T(0);
}

/// y(i, j) = x(i, j) for i < rows and j < columns; nothing else is written.
template <class T>
void copy_columns(const T* x, int64_t x_stride, T* y, int64_t y_stride, int64_t rows,
                  int64_t columns) {
  for (int64_t i = 0; i < rows; ++i) copy_numbers(x + i * x_stride, y + i * y_stride, columns);
}

}  // namespace
