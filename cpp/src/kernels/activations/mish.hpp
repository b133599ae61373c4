// SPDX-License-Identifier: Apache-2.0
// y = z w, w = tanh(softplus(z)) = n / (n + 2) with n = e (e + 2), e = exp(z);
// dy/dz = w + z (1 - w^2) sigmoid(z) = w + 4 z e (1 + e) / (n + 2)^2.
// Reference: Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020.
#pragma once

#include "kernels/activations/tail.hpp"
#include "kernels/math.hpp"
#include "kernels/simd.hpp"

namespace {

template <class T>
struct Mish {
  /// From here on w and dy/dz are 1, to the bit; n must not overflow.
  static constexpr T kHigh = T(40);
  CHAINRULE_INLINE Vec<T> below_high(Vec<T> z) const {
    return min<T>(broadcast(kHigh), z);  // keeps NaN
  }
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    const Vec<T> e = math::exp<T>(below_high(z));
    const Vec<T> n = e * (e + T(2));
    return bounded_below<T>(z) * (n / (n + T(2)));
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T>) const {
    z = bounded_below<T>(below_high(z));
    const Vec<T> e = math::exp<T>(z);
    const Vec<T> n = e * (e + T(2));
    return fma(T(4) * z * e, (T(1) + e) / (n + T(2)), n) / (n + T(2));
  }
};

}  // namespace
