// SPDX-License-Identifier: Apache-2.0
// The waves of a periodic embedding, the basis of number_embedding.hpp with
//   b(x) = cos(z), z = 2 pi w x + p;  with dz = -sin(z) db: dw and dp are sums over rows, in order,
// of 2 pi x dz and dz. Reference: Holzmuller, Grinsztajn and Steinwart, "Better by default: strong
// pre-tuned MLPs and boosted trees on tabular data", NeurIPS 2024.
#pragma once

#include "kernels/math.hpp"
#include "kernels/number_embedding.hpp"

namespace {

template <class T>
struct Functions<T, PeriodicBasis> {
  Vec<T> frequency, phase;
  Vec<T> sine{}, dfrequency{}, dphase{};

  template <class Take>
  CHAINRULE_INLINE Functions(const PeriodicBasis<T>& basis, const Take& take)
      : frequency(take(basis.frequency)), phase(take(basis.phase)) {}

  /// z / pi
  CHAINRULE_INLINE Vec<T> angle(Vec<T> x) const {
    return fma(frequency + frequency, x, phase * broadcast(T(kOverPi)));
  }
  CHAINRULE_INLINE Vec<T> value(Vec<T> x) const { return math::cos_pi<T>(angle(x)); }
  CHAINRULE_INLINE Vec<T> add_slope(Vec<T> x, Vec<T> db, Vec<T> sum) const {
    return fma(-(math::sin_pi<T>(angle(x)) * db), frequency * broadcast(T(kTwoPi)), sum);
  }
  CHAINRULE_INLINE Vec<T> evaluate(Vec<T> x) {
    const auto wave = math::sin_cos_pi<T>(angle(x));
    sine = wave.sine;
    return wave.cosine;
  }
  CHAINRULE_INLINE void add_gradient(Vec<T> x, Vec<T> db) {
    const Vec<T> dz = -(sine * db);
    dphase += dz;
    dfrequency = fma(dz, x * broadcast(T(kTwoPi)), dfrequency);
  }
  CHAINRULE_INLINE void store_gradient(const NumberEmbeddingGradients<T>& to, int64_t at,
                                       int64_t left) const {
    store_functions(to.frequency + at, left, dfrequency);
    store_functions(to.phase + at, left, dphase);
  }
};

}  // namespace
