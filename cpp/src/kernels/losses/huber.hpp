// SPDX-License-Identifier: Apache-2.0
// With d = z - t: d^2 / 2 for |d| <= delta, else delta (|d| - delta / 2); the derivative is d
// within -delta .. delta. Reference: Huber, "Robust estimation of a location parameter", Annals of
// Mathematical Statistics 35, 1964.
#pragma once

#include "kernels/losses/sign.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

template <class T>
struct Huber {
  T delta;
  CHAINRULE_INLINE explicit Huber(const chainrule::kernels::LossArgs<T>& f) : delta(f.delta) {}
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const {
    const Vec<T> d = abs<T>(z - t);
    return select<T>(d <= delta, T(0.5) * d * d, delta * (d - T(0.5) * delta));
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const {
    const Vec<T> d = z - t;
    return select<T>(abs<T>(d) <= delta, d, delta * sign<T>(d));
  }
};

}  // namespace
