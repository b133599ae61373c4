// SPDX-License-Identifier: Apache-2.0
// y = z within 0 .. 6; dy/dz = 1 for 0 < z < 6, else 0.
// Reference: Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.
#pragma once

#include "kernels/simd.hpp"

namespace {

template <class T>
struct Relu6 {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    return min<T>(broadcast(T(6)), max<T>(Vec<T>{}, z));  // keeps NaN
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T>, Vec<T> y) const {
    return select<T>((y > T(0)) & (y < T(6)), broadcast(T(1)), Vec<T>{});
  }
};

}  // namespace
