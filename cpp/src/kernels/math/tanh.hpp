// SPDX-License-Identifier: Apache-2.0
// tanh(a) = a + a^3 P(a^2) / Q(a^2) near zero, 1 - 2 / (exp(2a) + 1) above, each where it is the
// more accurate; the quotient's two terms are chosen before the one division that both share.
// Reference: S. L. Moshier, Cephes 2.8, tanh.c, 2000 (the two ranges and the form of the quotient).
#pragma once

#include "kernels/math/exp.hpp"

namespace {
namespace math {

/// A minimax fit on a < kSplit with an error below 2^-27 (float) and 2^-58 (double) of tanh(a).
template <class T>
struct TanhConstants;

template <>
struct TanhConstants<float> {
  static constexpr float kSplit = 0.625f;
  static constexpr float kLimit = 10.0f;  // tanh rounds to 1 before
  static constexpr float kNumerator[] = {-0.823833421f, -0.00380996508f};
  static constexpr float kDenominator[] = {2.47150214f, 1.0f};
};

template <>
struct TanhConstants<double> {
  static constexpr double kSplit = 0.625;
  static constexpr double kLimit = 20.0;
  static constexpr double kNumerator[] = {-1614.6888691646423, -99.28778047638647,
                                          -0.9643992019095924};
  static constexpr double kDenominator[] = {4844.066607493928, 2235.4899844266574,
                                            112.81174064053505, 1.0};
};

template <class T>
CHAINRULE_INLINE Vec<T> tanh(Vec<T> x) {
  using C = TanhConstants<T>;
  const Vec<T> a = min<T>(abs<T>(x), broadcast(C::kLimit));
  const Vec<T> z = a * a;
  const IVec<T> small = a < C::kSplit;
  const Vec<T> numerator = select<T>(small, z * polynomial(z, C::kNumerator), broadcast(T(-2)));
  const Vec<T> denominator =
      select<T>(small, polynomial(z, C::kDenominator), exp_normal<T>(a + a) + T(1));
  const Vec<T> one = broadcast(T(1));
  const Vec<T> y = fma(select<T>(small, a, one), numerator / denominator, select<T>(small, a, one));
  return keep_nan<T>(x, copysign<T>(y, x));
}

}  // namespace math
}  // namespace
