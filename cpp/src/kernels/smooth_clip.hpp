// SPDX-License-Identifier: Apache-2.0
// A smooth limit for each column: y = x / sqrt(1 + r^2) with r = x rate(j), which stays within
// +-1 / rate(j) and is x where the rate is 0. NaN becomes fill(j), which has no gradient; all else
// has dx = dy / sqrt(1 + r^2)^3. x, dx: rows x columns at x's stride; y, dy: at their own.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

template <class T>
void smooth_clip(const SmoothClipArgs<T>& f) {
  const Vec<T> one = broadcast(T(1));
  // From here on sqrt(1 + r^2) is |r|, and squares of larger numbers could overflow.
  const Vec<T> large = broadcast(T(1073741824.0));
  for (int64_t i = 0; i < f.rows; ++i) {
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const Vec<T> x = load(f.x + i * f.x_stride + j);
      const Vec<T> r = x * load(f.rate + j);
      const Vec<T> size = abs<T>(r);
      const Vec<T> divisor = select<T>(size > large, size, sqrt(fma(r, r, one)));
      store(f.y + i * f.y_stride + j, select<T>(x == x, x / divisor, load(f.fill + j)));
    }
  }
}

template <class T>
void smooth_clip_backward(const SmoothClipBackwardArgs<T>& f) {
  const Vec<T> one = broadcast(T(1));
  for (int64_t i = 0; i < f.rows; ++i) {
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const Vec<T> x = load(f.x + i * f.x_stride + j);
      const Vec<T> r = x * load(f.rate + j);
      const Vec<T> inverse = one / sqrt(fma(r, r, one));
      const Vec<T> dy = load(f.dy + i * f.dy_stride + j);
      const Vec<T> dx = dy * (inverse * inverse * inverse);
      store(f.dx + i * f.x_stride + j, select<T>(x == x, dx, Vec<T>{}));
    }
  }
}

}  // namespace
