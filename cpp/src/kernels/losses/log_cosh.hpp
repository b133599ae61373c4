// SPDX-License-Identifier: Apache-2.0
// log(cosh(d)), d = z - t, of derivative tanh(d).
#pragma once

#include "kernels/math.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

/// log(cosh(d)) = |d| + log1p(exp(-2 |d|)) - log(2), which cannot overflow; where that cancels,
/// cosh(d) - 1 is u^2 / (2 + 2 u) with u = expm1(|d|).
template <class T>
struct LogCosh {
  CHAINRULE_INLINE explicit LogCosh(const chainrule::kernels::LossArgs<T>&) {}
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const {
    const Vec<T> d = abs<T>(z - t);
    const Vec<T> u = math::expm1<T>(min<T>(d, broadcast(T(1))));
    const Vec<T> near_zero = math::log1p<T>(u * u / (T(2) + T(2) * u));
    const Vec<T> far = d + (math::log1p<T>(math::exp<T>(T(-2) * d)) - T(0.69314718055994530942));
    return select<T>(d < T(1), near_zero, far);
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const {
    return math::tanh<T>(z - t);
  }
};

}  // namespace
