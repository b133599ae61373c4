// SPDX-License-Identifier: Apache-2.0
// Arguments of activations whose formulas multiply zero by infinity far out.
#pragma once

#include "kernels/simd.hpp"

namespace {

/// From here on gelu, silu and their like have the values and derivatives of their
/// limits, to the bit; further out their formulas multiply zero by infinity.
template <class T>
constexpr T kTail = T(1024);

/// z, not below -kTail; the order of the operands is chosen so that NaN propagates.
template <class T>
CHAINRULE_INLINE Vec<T> bounded_below(Vec<T> z) {
  return max<T>(broadcast(-kTail<T>), z);
}

/// z within -kTail .. kTail; the order of the operands is chosen so that NaN propagates.
template <class T>
CHAINRULE_INLINE Vec<T> bounded(Vec<T> z) {
  return bounded_below<T>(min<T>(broadcast(kTail<T>), z));
}

}  // namespace
