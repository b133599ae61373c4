// SPDX-License-Identifier: Apache-2.0
// y = z and dy/dz = 1 for z > 0, else y = a (exp(z) - 1) and dy/dz = a exp(z) = y + a.
// Reference: Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by
// exponential linear units (ELUs)", ICLR 2016.
#pragma once

#include "kernels/math.hpp"
#include "kernels/simd.hpp"

namespace {

template <class T>
struct Elu {
  T alpha;
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    return select<T>(z > T(0), z, alpha * math::expm1<T>(min<T>(Vec<T>{}, z)));  // keeps NaN
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> y) const {
    return select<T>(z > T(0), broadcast(T(1)), y + alpha);
  }
};

}  // namespace
