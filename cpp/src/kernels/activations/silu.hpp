// SPDX-License-Identifier: Apache-2.0
// y = z s, dy/dz = s (1 + z (1 - s)), s = sigmoid(z); also known as swish.
// Reference: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", 2018.
#pragma once

#include "kernels/activations/tail.hpp"
#include "kernels/math.hpp"
#include "kernels/simd.hpp"

namespace {

template <class T>
struct Silu {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    return bounded_below<T>(z) * math::sigmoid<T>(z);
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T>) const {
    z = bounded<T>(z);
    const Vec<T> s = math::sigmoid<T>(z);
    return s * fma(z, T(1) - s, broadcast(T(1)));
  }
};

}  // namespace
