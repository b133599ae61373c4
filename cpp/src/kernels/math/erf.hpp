// SPDX-License-Identifier: Apache-2.0
// erf(a) = a + a P(a^2) below 1, 1 - exp(L(a)) with L near log(erfc) above: one polynomial covers
// all the rest, since an error in L counts only as much as erfc(a).
#pragma once

#include "kernels/math/exp.hpp"

namespace {
namespace math {

/// Minimax fits, with errors below 2^-29 (float) and 2^-56 (double) of erf(a).
template <class T>
struct ErfConstants;

template <>
struct ErfConstants<float> {
  static constexpr float kLimit = 4.0f;  // erf rounds to 1 before
  static constexpr float kSmall[] = {0.128379166f,   -0.37612626f,   0.11283581f,
                                     -0.0268535465f, 0.00518774055f, -0.000800463313f,
                                     7.8346995e-05f};
  static constexpr float kLogErfc[] = {-0.000311668467f, -1.12720561f,  -0.637959421f,
                                       -0.103260994f,    0.0219086967f, -0.00296453061f,
                                       0.000188020771f};
};

template <>
struct ErfConstants<double> {
  static constexpr double kLimit = 6.0;
  static constexpr double kSmall[] = {
      0.1283791670955126,     -0.3761263890318408,     0.11283791670969841,
      -0.026866170647755917,  0.005223977649822399,    -0.0008548328365352264,
      0.00012055379900304462, -1.4926730364184099e-05, 1.6478658697079591e-06,
      -1.653209923426079e-07, 1.584845947683986e-08,   -1.5843970884419653e-09,
      1.3323482487095628e-10};
  static constexpr double kLogErfc[] = {
      -1.553319158362083e-07,  -1.1283775660413284,    -0.6366274130497013,
      -0.10275027905411281,    0.019084063007749383,   0.00027199591278983555,
      -0.0017596815191059827,  0.0006331931118784649,  -3.941815407594896e-05,
      -7.328305054755613e-05,  4.629430030675451e-05,  -1.6945531349944192e-05,
      4.444235429990721e-06,   -8.753980218933859e-07, 1.2971651118226672e-07,
      -1.4103943785765086e-08, 1.0650610078653647e-09, -4.996872784499901e-11,
      1.097338993143659e-12};
};

template <class T>
CHAINRULE_INLINE Vec<T> erf(Vec<T> x) {
  using C = ErfConstants<T>;
  const Vec<T> a = min<T>(abs<T>(x), broadcast(C::kLimit));
  const Vec<T> small = fma(a, polynomial(a * a, C::kSmall), a);
  const Vec<T> large = T(1) - exp_normal<T>(polynomial(a, C::kLogErfc));
  return keep_nan<T>(x, copysign<T>(select<T>(a < T(1), small, large), x));
}

}  // namespace math
}  // namespace
