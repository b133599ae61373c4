// SPDX-License-Identifier: Apache-2.0
// y = 1 / (1 + exp(-z)), dy/dz = y (1 - y).
#pragma once

#include "kernels/math.hpp"
#include "kernels/simd.hpp"

namespace {

template <class T>
struct Sigmoid {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const { return math::sigmoid<T>(z); }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T>, Vec<T> y) const { return y * (T(1) - y); }
};

}  // namespace
