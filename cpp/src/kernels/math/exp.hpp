// SPDX-License-Identifier: Apache-2.0
// exp and expm1. x = k ln 2 + r with |r| <= ln(2) / 2, so exp(x) = 2^k exp(r), and a polynomial
// gives exp(r). Reference: J.-M. Muller, "Elementary Functions", 3rd ed., 2016, ch. 11 (range
// reduction).
#pragma once

#include "kernels/math/format.hpp"

namespace {
namespace math {

/// kLn2High has trailing zeros for any k to multiply it exactly. kQuotient is (exp(r) - 1 - r) /
/// r^2, a minimax fit on |r| <= ln(2) / 2 with an error below 2^-28 (float) and 2^-57 (double) of
/// exp(r).
template <class T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
  static constexpr float kLow = -104.0f;  // exp rounds to 0 below
  static constexpr float kHigh = 89.0f;   // and to infinity above
  static constexpr float kLog2E = 1.44269504f;
  static constexpr float kLn2High = 0x1.62e4p-1f;
  static constexpr float kLn2Low = 0x1.7f7d1cp-20f;
  static constexpr float kQuotient[] = {0.5f, 0.166665196f, 0.0416664146f, 0.00836882275f,
                                        0.00139395171f};
};

template <>
struct ExpConstants<double> {
  static constexpr double kLow = -745.25;
  static constexpr double kHigh = 710.0;
  static constexpr double kLog2E = 1.4426950408889634;
  static constexpr double kLn2High = 0x1.62e42feep-1;
  static constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  static constexpr double kQuotient[] = {
      0.5000000000000009,    0.16666666666666693,    0.04166666666654049,    0.008333333333310227,
      0.00138888889415566,   0.00019841269911629944, 2.4801494822539658e-05, 2.7557220928040776e-06,
      2.762973880859533e-07, 2.511652019680185e-08};
};

template <class T>
struct ExpReduced {
  IVec<T> k;
  Vec<T> r;
  Vec<T> r_low;  // what rounding took from r
};

template <class T>
CHAINRULE_INLINE ExpReduced<T> exp_reduce(Vec<T> x) {
  using C = ExpConstants<T>;
  const Vec<T> round = broadcast(Format<T>::kRound);
  const Vec<T> shifted = fma(x, broadcast(C::kLog2E), round);
  const Vec<T> k = shifted - round;
  const Vec<T> high = fma(k, broadcast(-C::kLn2High), x);
  const Vec<T> r = fma(k, broadcast(-C::kLn2Low), high);
  const Vec<T> r_low = fma(k, broadcast(-C::kLn2Low), high - r);
  return {bits<T>(shifted) - bits<T>(round), r, r_low};
}

template <class T>
CHAINRULE_INLINE Vec<T> exp_polynomial(Vec<T> r) {
  return T(1) + fma(r * r, polynomial(r, ExpConstants<T>::kQuotient), r);
}

/// exp for arguments whose result is a normal number.
template <class T>
CHAINRULE_INLINE Vec<T> exp_normal(Vec<T> x) {
  const ExpReduced<T> reduced = exp_reduce<T>(x);
  return scale_normal<T>(exp_polynomial<T>(reduced.r), reduced.k);
}

/// exp for arguments in [kLow, kHigh].
template <class T>
CHAINRULE_INLINE Vec<T> exp_clamped(Vec<T> x) {
  const ExpReduced<T> reduced = exp_reduce<T>(x);
  // Two factors: 2^k itself overflows for the largest results and has no normal form for denormal
  // ones.
  const IVec<T> half = reduced.k >> 1;
  const Vec<T> y = scale_normal<T>(exp_polynomial<T>(reduced.r), half);
  return y * power_of_two<T>(reduced.k - half);
}

template <class T>
CHAINRULE_INLINE Vec<T> exp(Vec<T> x) {
  using C = ExpConstants<T>;
  const Vec<T> clamped = min<T>(max<T>(x, broadcast(C::kLow)), broadcast(C::kHigh));
  return keep_nan<T>(x, exp_clamped<T>(clamped));
}

/// exp(x) - 1 = (2^k - 1 + 2^k r) + 2^k (exp(r) - 1 - r): the large terms are summed first, almost
/// without error.
template <class T>
CHAINRULE_INLINE Vec<T> expm1(Vec<T> x) {
  using C = ExpConstants<T>;
  const Vec<T> clamped = min<T>(max<T>(x, broadcast(T(-64))), broadcast(C::kHigh));
  const ExpReduced<T> reduced = exp_reduce<T>(clamped);
  const Vec<T> r = reduced.r;
  const Vec<T> tail = fma(r * r, polynomial(r, C::kQuotient), reduced.r_low);
  const IVec<T> top =
      reduced.k > Format<T>::kBias;  // -1 where 2^k overflows, though exp(x) need not
  const Vec<T> power = power_of_two<T>(reduced.k + top);
  const Vec<T> y = fma(power, tail, fma(power, r, power - T(1))) * power_of_two<T>(-top);
  return keep_nan<T>(x, copysign<T>(y, x));
}

}  // namespace math
}  // namespace
