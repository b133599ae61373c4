// SPDX-License-Identifier: Apache-2.0
// The sign of a difference, which losses of absolute errors have as derivative.
#pragma once

#include "kernels/math.hpp"
#include "kernels/simd.hpp"

namespace {

/// -1, 0 or 1; a NaN stays one, so that what comes of it is noticed.
template <class T>
CHAINRULE_INLINE Vec<T> sign(Vec<T> x) {
  const Vec<T> negative = select<T>(x < T(0), broadcast(T(-1)), Vec<T>{});
  return math::keep_nan<T>(x, select<T>(x > T(0), broadcast(T(1)), negative));
}

}  // namespace
