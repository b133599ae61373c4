// SPDX-License-Identifier: Apache-2.0
// y = max(0, z), dy/dz = 1 for z > 0, else 0.
// Reference: Glorot, Bordes and Bengio, "Deep sparse rectifier neural networks", AISTATS 2011.
#pragma once

#include "kernels/simd.hpp"

namespace {

template <class T>
struct Relu {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const { return z < T(0) ? Vec<T>{} : z; }  // keeps NaN
  CHAINRULE_INLINE Vec<T> derivative(Vec<T>, Vec<T> y) const {
    return select<T>(y > T(0), broadcast(T(1)), Vec<T>{});
  }
};

}  // namespace
