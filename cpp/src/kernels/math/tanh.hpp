// SPDX-License-Identifier: Apache-2.0
// tanh(a) = a + a^3 P(a^2) / Q(a^2) near zero, 1 - 2 / (exp(2a) + 1) above, each where it is the
// more accurate; the quotient's two terms are chosen before the one division that both share.
// Reference: S. L. Moshier, Cephes 2.8, tanh.c, 2000 (the two ranges and the form of the quotient).
#pragma once

#include "kernels/math/format.hpp"

namespace {
namespace math {

/// kNumerator and kDenominator are a minimax fit on a < kSplit with an error below 2^-27 (float)
/// and 2^-58 (double) of tanh(a). kPower is (2^f - 1) / f, the fit of exp with its argument scaled.
template <class T>
struct TanhConstants;

template <>
struct TanhConstants<float> {
  static constexpr float kSplit = 0.625f;
  static constexpr float kLimit = 10.0f;  // tanh rounds to 1 before
  static constexpr float kNumerator[] = {-0.823833421f, -0.00380996508f};
  static constexpr float kDenominator[] = {2.47150214f, 1.0f};
  static constexpr float kTwoLog2E = 2.88539008f;
  static constexpr float kPower[] = {0.693147182f,   0.240226507f,   0.055503618f,
                                     0.00961807091f, 0.00133903418f, 0.000154596797f};
};

template <>
struct TanhConstants<double> {
  static constexpr double kSplit = 0.625;
  static constexpr double kLimit = 20.0;
  static constexpr double kNumerator[] = {-1614.6888691646423, -99.28778047638647,
                                          -0.9643992019095924};
  static constexpr double kDenominator[] = {4844.066607493928, 2235.4899844266574,
                                            112.81174064053505, 1.0};
  static constexpr double kTwoLog2E = 2.8853900817779268;
  static constexpr double kPower[] = {
      0.6931471805599453,     0.24022650695910114,    0.055504108664821666,
      0.009618129107599351,   0.0013333558146391472,  0.00015403530451792955,
      1.5252733858148309e-05, 1.3215437512829206e-06, 1.0178049704380885e-07,
      7.073451659651856e-09,  4.456968254854934e-10};
};

/// exp(2a) + 1 as 2^k + 1 + 2^k (2^f - 1), with k + f = 2a log2(e). The reduction takes one
/// rounding, where exp has none to spare: tanh damps it.
template <class T>
CHAINRULE_INLINE Vec<T> exp_of_twice_plus_one(Vec<T> a) {
  using C = TanhConstants<T>;
  const Vec<T> round = broadcast(Format<T>::kRound);
  const Vec<T> scale = broadcast(C::kTwoLog2E);
  const Vec<T> shifted = fma(a, scale, round);
  const Vec<T> f = fma(a, scale, round - shifted);
  const Vec<T> power = power_of_two<T>(bits<T>(shifted) - bits<T>(round));
  return fma(power * f, polynomial_in_pairs(f, f * f, C::kPower), power + T(1));
}

template <class T>
CHAINRULE_INLINE Vec<T> tanh(Vec<T> x) {
  using C = TanhConstants<T>;
  const Vec<T> a = abs<T>(x);
  const Vec<T> z = a * a;
  const IVec<T> small = a < C::kSplit;
  const Vec<T> numerator = select<T>(small, z * polynomial(z, C::kNumerator), broadcast(T(-2)));
  const Vec<T> denominator =
      select<T>(small, polynomial(z, C::kDenominator), exp_of_twice_plus_one<T>(a));
  const Vec<T> one = broadcast(T(1));
  const Vec<T> base = select<T>(small, a, one);
  const Vec<T> y = fma(base, numerator / denominator, base);
  return with_sign_of<T>(x, select<T>(a > C::kLimit, one, y));  // a NaN is not above it
}

}  // namespace math
}  // namespace
