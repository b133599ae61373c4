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

}  // namespace
