// SPDX-License-Identifier: Apache-2.0
// max(0, 1 - s z) with s = 1 for t > 0, else -1, of derivative -s where s z < 1, else 0.
// Reference: Cortes and Vapnik, "Support-vector networks", Machine Learning 20, 1995.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

template <class T>
struct Hinge {
  CHAINRULE_INLINE explicit Hinge(const chainrule::kernels::LossArgs<T>&) {}
  CHAINRULE_INLINE Vec<T> side(Vec<T> t) const {
    return select<T>(t > T(0), broadcast(T(1)), broadcast(T(-1)));
  }
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const {
    const Vec<T> margin = T(1) - side(t) * z;
    return select<T>(margin < T(0), Vec<T>{}, margin);
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const {
    const Vec<T> s = side(t);
    return select<T>(T(1) - s * z > T(0), -s, Vec<T>{});
  }
};

}  // namespace
