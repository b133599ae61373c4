// SPDX-License-Identifier: Apache-2.0
// y = z / (1 + |z|), dy/dz = 1 / (1 + |z|)^2.
// Reference: Turian, Bergstra and Bengio, "Quadratic features and deep architectures for chunking",
// NAACL 2009.
#pragma once

#include "kernels/simd.hpp"

namespace {

template <class T>
struct Softsign {
  /// Beyond these y is -1 or 1, to the bit; infinity / infinity would be NaN.
  static constexpr T kBound = T(0x1p60);
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    z = max<T>(broadcast(-kBound), min<T>(broadcast(kBound), z));  // keeps NaN
    return z / (T(1) + abs<T>(z));
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T>) const {
    const Vec<T> reciprocal = T(1) / (T(1) + abs<T>(z));
    return reciprocal * reciprocal;
  }
};

}  // namespace
