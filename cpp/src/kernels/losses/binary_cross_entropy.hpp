// SPDX-License-Identifier: Apache-2.0
// -t log sigmoid(z) - (1 - t) log(1 - sigmoid(z)), of derivative sigmoid(z) - t.
#pragma once

#include "kernels/math.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

/// Works from logits: max(z, 0) - z t + log1p(exp(-|z|)), exact at both ends.
template <class T>
struct BinaryCrossEntropy {
  CHAINRULE_INLINE explicit BinaryCrossEntropy(const chainrule::kernels::LossArgs<T>&) {}
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const {
    return (max<T>(z, Vec<T>{}) - z * t) + math::log1p<T>(math::exp<T>(-abs<T>(z)));
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const {
    return math::sigmoid<T>(z) - t;
  }
};

}  // namespace
