// SPDX-License-Identifier: Apache-2.0
// y = c z and dy/dz = c for z > 0, else y = c a (exp(z) - 1) and dy/dz = c a exp(z) = y + c a: with
// these c and a, layers keep activations near mean 0 and variance 1.
// Reference: Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks",
// NeurIPS 2017.
#pragma once

#include "kernels/math.hpp"
#include "kernels/simd.hpp"

namespace {

template <class T>
struct Selu {
  static constexpr T kScale = T(1.0507009873554804934193349852946);
  static constexpr T kScaledAlpha =
      T(1.0507009873554804934193349852946 * 1.6732632423543772848170429916717);
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    // min keeps NaN
    return select<T>(z > T(0), kScale * z, kScaledAlpha * math::expm1<T>(min<T>(Vec<T>{}, z)));
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> y) const {
    return select<T>(z > T(0), broadcast(kScale), y + kScaledAlpha);
  }
};

}  // namespace
