// SPDX-License-Identifier: Apache-2.0
// y = tanh(z), dy/dz = 1 - y^2.
#pragma once

#include "kernels/math.hpp"
#include "kernels/simd.hpp"

namespace {

template <class T>
struct Tanh {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const { return math::tanh<T>(z); }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T>, Vec<T> y) const { return T(1) - y * y; }
};

}  // namespace
