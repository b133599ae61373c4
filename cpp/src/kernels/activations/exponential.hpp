// SPDX-License-Identifier: Apache-2.0
// y = exp(z), dy/dz = y.
#pragma once

#include "kernels/math.hpp"
#include "kernels/simd.hpp"

namespace {

template <class T>
struct Exponential {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const { return math::exp<T>(z); }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T>, Vec<T> y) const { return y; }
};

}  // namespace
