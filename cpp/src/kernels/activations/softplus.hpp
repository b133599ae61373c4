// SPDX-License-Identifier: Apache-2.0
// y = log(1 + exp(z)), dy/dz = sigmoid(z).
#pragma once

#include "kernels/math.hpp"
#include "kernels/simd.hpp"

namespace {

template <class T>
struct Softplus {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    return max<T>(z, Vec<T>{}) + math::log1p<T>(math::exp<T>(-abs<T>(z)));
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T>) const { return math::sigmoid<T>(z); }
};

}  // namespace
