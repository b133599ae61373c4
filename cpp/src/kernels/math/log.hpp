// SPDX-License-Identifier: Apache-2.0
// log and log1p. x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); with s = f / (2 + f),
// log(1 + f) = 2 atanh(s) = f - (f^2/2 - s (f^2/2 + R(s^2))), whose first term f is exact.
// Reference: Sun Microsystems, FDLIBM 5.3, e_log.c and s_log1p.c, 1993.
#pragma once

#include "kernels/math/format.hpp"

namespace {
namespace math {

/// kSeries is R(w) / w, a minimax fit with an error below 2^-30 (float) and 2^-59 (double) of log(1
/// + f).
template <class T>
struct LogConstants;

template <>
struct LogConstants<float> {
  static constexpr float kSqrtHalf = 0x1.6a09e6p-1f;
  static constexpr float kLn2High = 0x1.62e4p-1f;
  static constexpr float kLn2Low = 0x1.7f7d1cp-20f;
  static constexpr float kSeries[] = {0.666667759f, 0.399775743f, 0.298712403f};
};

template <>
struct LogConstants<double> {
  static constexpr double kSqrtHalf = 0x1.6a09e667f3bcdp-1;
  static constexpr double kLn2High = 0x1.62e42feep-1;
  static constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  static constexpr double kSeries[] = {0.6666666666666735, 0.39999999999409863, 0.28571428743492505,
                                       0.2222219845539639, 0.1818357069724861,  0.15313880950687328,
                                       0.14797713337550694};
};

/// The k of a normal x = 2^k m with m in [sqrt(1/2), sqrt(2)).
template <class T>
CHAINRULE_INLINE IVec<T> log_exponent(Vec<T> x) {
  return (bits<T>(x) - bits<T>(broadcast(LogConstants<T>::kSqrtHalf))) >> Format<T>::kMantissaBits;
}

/// k ln 2 + log(1 + f)
template <class T>
CHAINRULE_INLINE Vec<T> log_reduced(Vec<T> k, Vec<T> f) {
  using C = LogConstants<T>;
  const Vec<T> s = f / (T(2) + f);
  const Vec<T> w = s * s;
  const Vec<T> half_square = T(0.5) * f * f;
  const Vec<T> inner = fma(w, polynomial(w, C::kSeries), half_square);
  const Vec<T> tail = half_square - fma(s, inner, k * C::kLn2Low);
  return fma(k, broadcast(C::kLn2High), f - tail);
}

/// y with the limits of log(x): NaN below 0, -infinity at 0, infinity and NaN for themselves.
template <class T>
CHAINRULE_INLINE Vec<T> log_limits(Vec<T> x, Vec<T> y) {
  using F = Format<T>;
  y = select<T>(x == T(0), broadcast(-F::kInfinity), y);
  y = select<T>(x < T(0), broadcast(F::kNaN), y);
  y = select<T>(x == F::kInfinity, x, y);
  return keep_nan<T>(x, y);
}

template <class T>
CHAINRULE_INLINE Vec<T> log(Vec<T> x) {
  using F = Format<T>;
  const Vec<T> a = abs<T>(x);  // a sign would overflow the integers below
  const IVec<T> denormal = a < F::kMinNormal;
  const Vec<T> normal =
      select<T>(denormal, a * power_of_two<T>(ibroadcast<T>(F::kMantissaBits)), a);
  const IVec<T> k = log_exponent<T>(normal);
  const Vec<T> f = scale_normal<T>(normal, -k) - T(1);
  return log_limits<T>(x, log_reduced<T>(to_real<T>(k - (denormal & F::kMantissaBits)), f));
}

template <class T>
CHAINRULE_INLINE Vec<T> log1p(Vec<T> x) {
  using F = Format<T>;
  const Vec<T> u = T(1) + x;
  // 1 + x = u + lost exactly; the subtraction must undo the larger of the two summands first.
  const Vec<T> lost = select<T>(x < T(1), x - (u - T(1)), T(1) - (u - x));
  const Vec<T> a = abs<T>(u);
  const IVec<T> k = log_exponent<T>(a);
  // From 2^(bias - 1) on, what was lost has no influence and 2^-k would be denormal.
  const IVec<T> bounded = k < F::kBias - 1 ? k : ibroadcast<T>(F::kBias - 1);
  const Vec<T> f = fma(lost, power_of_two<T>(-bounded), scale_normal<T>(a, -k) - T(1));
  return log_limits<T>(u, copysign<T>(log_reduced<T>(to_real<T>(k), f), x));
}

}  // namespace math
}  // namespace
