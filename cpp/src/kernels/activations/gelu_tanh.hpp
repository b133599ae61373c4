// SPDX-License-Identifier: Apache-2.0
// y = z / 2 (1 + t), t = tanh(u), u = sqrt(2 / pi) (z + 0.044715 z^3);
// dy/dz = (1 + t) / 2 + z / 2 (1 - t^2) du/dz.
// Reference: Hendrycks and Gimpel, "Gaussian error linear units", 2016.
#pragma once

#include "kernels/activations/tail.hpp"
#include "kernels/math.hpp"
#include "kernels/simd.hpp"

namespace {

template <class T>
struct GeluTanh {
  static constexpr T kScale = T(0.79788456080286535588);  // sqrt(2 / pi)
  static constexpr T kCube = T(0.044715);
  CHAINRULE_INLINE Vec<T> tanh_term(Vec<T> z) const {
    return math::tanh<T>(kScale * fma(kCube * z * z, z, z));
  }
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    return T(0.5) * bounded_below<T>(z) * (T(1) + tanh_term(z));
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T>) const {
    z = bounded<T>(z);
    const Vec<T> t = tanh_term(z);
    const Vec<T> inner = kScale * (T(1) + T(3) * kCube * z * z);
    return T(0.5) * (T(1) + t) + T(0.5) * z * (T(1) - t * t) * inner;
  }
};

}  // namespace
