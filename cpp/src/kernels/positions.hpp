// SPDX-License-Identifier: Apache-2.0
// Sums over the positions of each row of a batch, in their order, and the reverse. One side: rows x
// columns, the other: (rows positions) x columns, all at one stride, padded to whole vectors.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// kVectors neighbouring vectors of y at once, so that their sums do not wait for each other.
template <class T, int kVectors>
CHAINRULE_INLINE void sum_positions_strip(const PositionsArgs<T>& f, const T* x, T* y) {
  Vec<T> sum[kVectors] = {};
  for (int64_t p = 0; p < f.positions; ++p, x += f.stride) {
    for (int v = 0; v < kVectors; ++v) sum[v] += load(x + v * kLanes<T>);
  }
  for (int v = 0; v < kVectors; ++v) store(y + v * kLanes<T>, sum[v] / f.divisor);
}

/// y(i, j) = (sum over p of x(i, p, j)) / divisor
template <class T>
void sum_positions(const PositionsArgs<T>& f, const T* x, T* y) {
  constexpr int64_t wide = 4 * kLanes<T>;
  for (int64_t i = 0; i < f.rows; ++i) {
    const T* rows = x + i * f.positions * f.stride;
    int64_t j = 0;
    for (; j + wide <= f.stride; j += wide)
      sum_positions_strip<T, 4>(f, rows + j, y + i * f.stride + j);
    for (; j < f.stride; j += kLanes<T>)
      sum_positions_strip<T, 1>(f, rows + j, y + i * f.stride + j);
  }
}

/// y(i, p, j) = x(i, j) / divisor
template <class T>
void repeat_positions(const PositionsArgs<T>& f, const T* x, T* y) {
  for (int64_t i = 0; i < f.rows; ++i) {
    for (int64_t j = 0; j < f.stride; j += kLanes<T>) {
      const Vec<T> v = load(x + i * f.stride + j) / f.divisor;
      for (int64_t p = 0; p < f.positions; ++p) store(y + (i * f.positions + p) * f.stride + j, v);
    }
  }
}

}  // namespace
