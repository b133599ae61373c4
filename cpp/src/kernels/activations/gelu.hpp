// SPDX-License-Identifier: Apache-2.0
// y = z Phi(z), dy/dz = Phi(z) + z phi(z): Phi and phi are the standard normal distribution's
// function and density.
// Reference: Hendrycks and Gimpel, "Gaussian error linear units", 2016.
#pragma once

#include "kernels/activations/tail.hpp"
#include "kernels/math.hpp"
#include "kernels/simd.hpp"

namespace {

template <class T>
struct Gelu {
  static constexpr T kInverseSqrt2 = T(0.70710678118654752440);
  static constexpr T kInverseSqrt2Pi = T(0.39894228040143267794);
  CHAINRULE_INLINE Vec<T> phi(Vec<T> z) const {
    return T(0.5) * (T(1) + math::erf<T>(z * kInverseSqrt2));
  }
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const { return bounded_below<T>(z) * phi(z); }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T>) const {
    z = bounded<T>(z);
    return fma(z, kInverseSqrt2Pi * math::exp<T>(T(-0.5) * z * z), phi(z));
  }
};

}  // namespace
