// SPDX-License-Identifier: Apache-2.0
// sin(pi x) and cos(pi x). The period is 2, so that even the largest x leaves an exact rest:
// x = 2 k + q / 2 + r with |r| <= 1/4, and polynomials give sine and cosine of pi r, of which q
// chooses. Reference: J.-M. Muller, "Elementary Functions", 3rd ed., 2016, ch. 11.
#pragma once

#include "kernels/math/format.hpp"

namespace {
namespace math {

/// kSine is sin(pi r) / r and kCosine (cos(pi r) - 1) / r^2 as polynomials in r^2, interpolated at
/// Chebyshev points of |r| <= 1/4, with errors below 2^-26 (float) and 2^-67 (double).
template <class T>
struct SinCosPiConstants;

template <>
struct SinCosPiConstants<float> {
  static constexpr float kSine[] = {3.1415927f, -5.167708f, 2.549767f, -0.5890751f};
  static constexpr float kCosine[] = {-4.934802f, 4.0587106f, -1.3351378f, 0.23212542f};
};

template <>
struct SinCosPiConstants<double> {
  static constexpr double kSine[] = {
      3.141592653589793,   -5.16771278004997,     2.5501640398773415,     -0.5992645293202978,
      0.08214588658005621, -0.007370429884712669, 0.00046628272951211076, -2.1717401400090533e-05};
  static constexpr double kCosine[] = {
      -4.934802200544679,    4.0587121264167685,    -1.3352627688545888,    0.23533063035880689,
      -0.025806891384587305, 0.0019295741241061913, -0.0001046345989636836, 4.268505646755225e-06};
};

template <class T>
struct SinCos {
  Vec<T> sine, cosine;
};

template <class T>
CHAINRULE_INLINE SinCos<T> sin_cos_pi(Vec<T> x) {
  using C = SinCosPiConstants<T>;
  // Half of |x| rounded to a whole number; from `whole` on all numbers are.
  const Vec<T> whole = broadcast(T(int64_t(1) << Format<T>::kMantissaBits));
  const Vec<T> size = abs<T>(x);
  const Vec<T> half = size * T(0.5);
  const Vec<T> rounded = select<T>(half < whole, (half + whole) - whole, half);
  const Vec<T> rest = size - (rounded + rounded);  // in [-1, 1], exact; NaN of infinities
  const Vec<T> round = broadcast(Format<T>::kRound);
  const Vec<T> q = fma(broadcast(T(2)), rest, round) - round;  // -2, -1, 0, 1 or 2
  const Vec<T> r = fma(q, broadcast(T(-0.5)), rest);
  const Vec<T> square = r * r;
  const Vec<T> s = r * polynomial(square, C::kSine);
  const Vec<T> c = fma(square, polynomial(square, C::kCosine), broadcast(T(1)));
  const IVec<T> odd = abs<T>(q) == T(1);
  const IVec<T> opposite = abs<T>(q) == T(2);
  const Vec<T> sine = select<T>(odd, q * c, select<T>(opposite, -s, s));
  const Vec<T> cosine = select<T>(odd, -q * s, select<T>(opposite, -c, c));
  return {keep_nan<T>(x, select<T>(x < T(0), -sine, sine)), keep_nan<T>(x, cosine)};
}

template <class T>
CHAINRULE_INLINE Vec<T> sin_pi(Vec<T> x) {
  return sin_cos_pi<T>(x).sine;
}

template <class T>
CHAINRULE_INLINE Vec<T> cos_pi(Vec<T> x) {
  return sin_cos_pi<T>(x).cosine;
}

}  // namespace math
}  // namespace
