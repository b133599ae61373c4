// SPDX-License-Identifier: Apache-2.0
// Rows to columns, in registers.
#pragma once

#include "kernels/simd.hpp"

namespace {

/// y(j, i) = x(i, j) for a square of one vector a side: each round zips row i with the row half the
/// square further down.
template <class T>
CHAINRULE_INLINE void transpose_square(const T* x, int64_t x_stride, T* y, int64_t y_stride) {
  constexpr int n = kLanes<T>;
  Vec<T> a[n];
  for (int i = 0; i < n; ++i) a[i] = load(x + i * x_stride);
  for (int round = 1; round < n; round *= 2) {
    Vec<T> b[n];
    for (int i = 0; i < n / 2; ++i) {
      b[2 * i] = zip_low<T>(a[i], a[i + n / 2]);
      b[2 * i + 1] = zip_high<T>(a[i], a[i + n / 2]);
    }
    for (int i = 0; i < n; ++i) a[i] = b[i];
  }
  for (int i = 0; i < n; ++i) store(y + i * y_stride, a[i]);
}

/// y(j, i) = x(i, j) for i < rows and j < columns.
template <class T>
void transpose(const T* x, int64_t x_stride, int64_t rows, int64_t columns, T* y,
               int64_t y_stride) {
  const int64_t square_rows = rows / kLanes<T> * kLanes<T>;
  const int64_t square_columns = columns / kLanes<T> * kLanes<T>;
  for (int64_t i = 0; i < square_rows; i += kLanes<T>) {
    for (int64_t j = 0; j < square_columns; j += kLanes<T>) {
      transpose_square(x + i * x_stride + j, x_stride, y + j * y_stride + i, y_stride);
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i < square_rows ? square_columns : 0; j < columns; ++j) {
      y[j * y_stride + i] = x[i * x_stride + j];
    }
  }
}

}  // namespace
