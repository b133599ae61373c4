// SPDX-License-Identifier: Apache-2.0
// Arithmetic on whole buffers of one shape: sizes are whole vectors, so loops have no tails, and a
// padding of zeros stays one.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// y = a * b
template <class T>
void multiply(const T* a, const T* b, T* y, int64_t size) {
  for (int64_t i = 0; i < size; i += kLanes<T>) store(y + i, load(a + i) * load(b + i));
}

/// y = y + x
template <class T>
void accumulate(const T* x, T* y, int64_t size) {
  for (int64_t i = 0; i < size; i += kLanes<T>) store(y + i, load(y + i) + load(x + i));
}

/// y = x between `low` and `high`, else the nearer of the two; NaN stays NaN.
template <class T>
void clip(T low, T high, const T* x, T* y, int64_t size) {
  const Vec<T> least = broadcast(low);
  const Vec<T> most = broadcast(high);
  // Operand order chosen so that NaN propagates.
  for (int64_t i = 0; i < size; i += kLanes<T>)
    store(y + i, min<T>(most, max<T>(least, load(x + i))));
}

/// dx = dy where x is between `low` and `high`, both included, else 0.
template <class T>
void clip_backward(T low, T high, const T* x, const T* dy, T* dx, int64_t size) {
  for (int64_t i = 0; i < size; i += kLanes<T>) {
    const Vec<T> value = load(x + i);
    store(dx + i, select<T>((value >= low) & (value <= high), load(dy + i), Vec<T>{}));
  }
}

}  // namespace
