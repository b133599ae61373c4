// SPDX-License-Identifier: Apache-2.0
// y = a z + b within 0 .. 1; dy/dz = a for 0 < y < 1, else 0.
// Reference: Courbariaux, Bengio and David, "BinaryConnect", NeurIPS 2015 (a = b = 1/2).
#pragma once

#include "kernels/simd.hpp"

namespace {

template <class T>
struct HardSigmoid {
  T alpha;
  T beta;
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    return min<T>(broadcast(T(1)), max<T>(Vec<T>{}, alpha * z + beta));  // keeps NaN
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T>, Vec<T> y) const {
    return select<T>((y > T(0)) & (y < T(1)), broadcast(alpha), Vec<T>{});
  }
};

}  // namespace
