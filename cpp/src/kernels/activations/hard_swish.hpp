// SPDX-License-Identifier: Apache-2.0
// y = z h, h = (z + 3) / 6 within 0 .. 1; dy/dz = 0 for z <= -3, 1 for z >= 3, else z / 3 + 1 / 2.
// Reference: Howard et al., "Searching for MobileNetV3", ICCV 2019.
#pragma once

#include "kernels/activations/tail.hpp"
#include "kernels/simd.hpp"

namespace {

template <class T>
struct HardSwish {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    const Vec<T> six_h = min<T>(broadcast(T(6)), max<T>(Vec<T>{}, z + T(3)));  // keeps NaN
    return bounded_below<T>(z) * (six_h / T(6));
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T>) const {
    const Vec<T> below_three = select<T>(z <= T(-3), Vec<T>{}, z / T(3) + T(0.5));
    return select<T>(z >= T(3), broadcast(T(1)), below_three);
  }
};

}  // namespace
