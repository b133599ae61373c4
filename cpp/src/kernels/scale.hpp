// SPDX-License-Identifier: Apache-2.0
// The gradient of a factor for each column, y(i, j) = s(j) x(i, j): ds(j) = sum over rows i, in
// order, of dy(i, j) x(i, j). x, dy: rows x columns at `stride`; ds: columns, padded.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

/// The gradient of the columns [column_begin, column_end), whole vectors.
template <class T>
void scale_gradient(const T* x, const T* dy, int64_t stride, int64_t rows, int64_t column_begin,
                    int64_t column_end, T* ds) {
  for (int64_t j = column_begin; j < column_end; j += kLanes<T>) {
    Vec<T> sum{};
    for (int64_t i = 0; i < rows; ++i)
      sum = fma(load(dy + i * stride + j), load(x + i * stride + j), sum);
    store(ds + j, sum);
  }
}

}  // namespace
