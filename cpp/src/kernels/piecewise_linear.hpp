// SPDX-License-Identifier: Apache-2.0
// The bins of a piecewise-linear embedding, the basis of number_embedding.hpp with
//   b(x) = (min(max(x, low), high) - edge) rate,  b'(x) = rate where low <= x < high, else 0.
// NaN stays NaN. Bins are not trained. Reference: Gorishniy, Rubachev and Babenko, "On embeddings
// for numerical features in tabular deep learning", NeurIPS 2022.
#pragma once

#include "kernels/number_embedding.hpp"

namespace {

template <class T>
struct Functions<T, PiecewiseLinearBasis> {
  Vec<T> edge, rate, low, high;

  template <class Take>
  CHAINRULE_INLINE Functions(const PiecewiseLinearBasis<T>& basis, const Take& take)
      : edge(take(basis.edge)),
        rate(take(basis.rate)),
        low(take(basis.low)),
        high(take(basis.high)) {}

  CHAINRULE_INLINE Vec<T> value(Vec<T> x) const {
    // Operand order chosen so that NaN propagates.
    return (min<T>(high, max<T>(low, x)) - edge) * rate;
  }
  CHAINRULE_INLINE Vec<T> add_slope(Vec<T> x, Vec<T> db, Vec<T> sum) const {
    const Vec<T> slope = select<T>(x < low, Vec<T>{}, select<T>(x < high, rate, Vec<T>{}));
    return fma(db, slope, sum);
  }
  CHAINRULE_INLINE Vec<T> evaluate(Vec<T> x) const { return value(x); }
  CHAINRULE_INLINE void add_gradient(Vec<T>, Vec<T>) const {}
  CHAINRULE_INLINE void store_gradient(const NumberEmbeddingGradients<T>&, int64_t, int64_t) const {
  }
};

}  // namespace
