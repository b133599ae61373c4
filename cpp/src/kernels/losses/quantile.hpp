// SPDX-License-Identifier: Apache-2.0
// Pinball loss: q max(0, t - z) + (1 - q) max(0, z - t), of derivative -q for z < t, 1 - q for z >
// t and 0 for z = t. Reference: Koenker and Bassett, "Regression quantiles", Econometrica 46, 1978.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

template <class T>
struct Quantile {
  const T* quantiles;
  CHAINRULE_INLINE explicit Quantile(const chainrule::kernels::LossArgs<T>& f)
      : quantiles(f.quantiles) {}
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t j) const {
    const Vec<T> q = load(quantiles + j);
    const Vec<T> d = t - z;
    return max<T>(q * d, (q - T(1)) * d);
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t j) const {
    const Vec<T> q = load(quantiles + j);
    const Vec<T> d = t - z;
    return select<T>(d > T(0), -q, select<T>(d < T(0), T(1) - q, Vec<T>{}));
  }
};

}  // namespace
