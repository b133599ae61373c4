// SPDX-License-Identifier: Apache-2.0
// Two tensors by a share for each column: y(i, j) = (1 - a(j)) from(i, j) + a(j) to(i, j), which is
// `to` in every bit where a(j) is 1. Its gradient: da(j) = sum over rows i, in order, of
// dy(i, j) (to(i, j) - from(i, j)).
// from, to, y, dy: rows x columns at one stride, padded to whole vectors, of which y may be one of
// the others; a, da: columns, padded.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

template <class T>
void mix(const MixArgs<T>& f, T* y) {
  for (int64_t i = 0; i < f.rows; ++i) {
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const int64_t at = i * f.stride + j;
      const Vec<T> share = load(f.share + j);
      store(y + at, fma(share, load(f.to + at), (broadcast(T(1)) - share) * load(f.from + at)));
    }
  }
}

/// The gradient of the columns [column_begin, column_end), whole vectors.
template <class T>
void mix_gradient(const MixArgs<T>& f, const T* dy, int64_t column_begin, int64_t column_end,
                  T* dshare) {
  for (int64_t j = column_begin; j < column_end; j += kLanes<T>) {
    Vec<T> sum{};
    for (int64_t i = 0; i < f.rows; ++i) {
      const int64_t at = i * f.stride + j;
      sum = fma(load(dy + at), load(f.to + at) - load(f.from + at), sum);
    }
    store(dshare + j, sum);
  }
}

}  // namespace
