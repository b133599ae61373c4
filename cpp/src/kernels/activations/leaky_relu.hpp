// SPDX-License-Identifier: Apache-2.0
// y = z and dy/dz = 1 for z > 0, else y = s z and dy/dz = s, s the negative slope.
// Reference: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic
// models", ICML 2013.
#pragma once

#include "kernels/simd.hpp"

namespace {

template <class T>
struct LeakyRelu {
  T negative_slope;
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    return select<T>(z > T(0), z, z * negative_slope);
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T>) const {
    return select<T>(z > T(0), broadcast(T(1)), broadcast(negative_slope));
  }
};

}  // namespace
