// SPDX-License-Identifier: Apache-2.0
// |z - t|, of derivative sign(z - t), which is 0 for z = t.
#pragma once

#include "kernels/losses/sign.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

template <class T>
struct AbsoluteError {
  CHAINRULE_INLINE explicit AbsoluteError(const chainrule::kernels::LossArgs<T>&) {}
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const { return abs<T>(z - t); }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const { return sign<T>(z - t); }
};

}  // namespace
