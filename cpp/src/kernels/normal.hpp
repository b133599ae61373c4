// SPDX-License-Identifier: Apache-2.0
// Normal variates from random words: operation by operation what model/normal_quantile.cpp does, so
// that the bits are the same. Only + - * / and sqrt, and no fused multiply-add, which some
// processors have to emulate.
// Reference: Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied
// Statistics 37, 1988.
#pragma once

#include "kernels/math/format.hpp"
#include "kernels/philox.hpp"
#include "kernels/simd.hpp"

namespace {

using Real = Vec<double>;

// Coefficients of the rational approximations, highest power first, as published.
constexpr double kCentralNumerator[8] = {
    2.5090809287301226727e+3, 3.3430575583588128105e+4, 6.7265770927008700853e+4,
    4.5921953931549871457e+4, 1.3731693765509461125e+4, 1.9715909503065514427e+3,
    1.3314166789178437745e+2, 3.3871328727963666080e+0,
};
constexpr double kCentralDenominator[8] = {
    5.2264952788528545610e+3, 2.8729085735721942674e+4,
    3.9307895800092710610e+4, 2.1213794301586595867e+4,
    5.3941960214247511077e+3, 6.8718700749205790830e+2,
    4.2313330701600911252e+1, 1.0,
};
constexpr double kTailNumerator[8] = {
    7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
    1.27045825245236838258e+0, 3.64784832476320460504e+0, 5.76949722146069140550e+0,
    4.63033784615654529590e+0, 1.42343711074968357734e+0,
};
constexpr double kTailDenominator[8] = {
    1.05075007164441684324e-9, 5.47593808499534494600e-4,
    1.51986665636164571966e-2, 1.48103976427480074590e-1,
    6.89767334985100004550e-1, 1.67638483018380384940e+0,
    2.05319162663775882187e+0, 1.0,
};

CHAINRULE_INLINE Real unfused_polynomial(const double (&coefficients)[8], Real x) {
  Real value = broadcast(coefficients[0]);
  for (int i = 1; i < 8; ++i) value = value * x + coefficients[i];
  return value;
}

/// Of positive normal numbers.
CHAINRULE_INLINE Real unfused_log(Real x) {
  constexpr int64_t fraction = (int64_t(1) << 52) - 1;
  constexpr int64_t half = int64_t(1022) << 52;
  const IVec<double> all = bits<double>(x);
  IVec<double> exponent = (all >> 52) - 1022;
  Real mantissa = from_bits<double>((all & fraction) | half);
  const IVec<double> small = mantissa < 0x1.6a09e667f3bcdp-1;  // sqrt(1/2)
  mantissa = select<double>(small, mantissa * 2.0, mantissa);
  exponent += small;
  const Real ratio = (mantissa - 1.0) / (mantissa + 1.0);
  const Real square = ratio * ratio;
  Real series{};
  for (int power = 19; power >= 1; power -= 2) series = series * square + 1.0 / power;
  constexpr double ln2 = 0x1.62e42fefa39efp-1;
  return math::to_real<double>(exponent) * ln2 + 2.0 * ratio * series;
}

/// The normal quantile of (word + 1/2) / 2^32, a probability that is never so near 0 or 1 that the
/// approximation of the far tails would be needed.
CHAINRULE_INLINE Real normal_of(Words word) {
  const Real whole = from_bits<double>(IVec<double>(word) | int64_t(0x4330000000000000)) - 0x1p52;
  const Real probability = (whole + 0.5) * 0x1p-32;
  const Real centred = probability - 0.5;
  const Real near = 0.180625 - centred * centred;
  const Real central = centred * unfused_polynomial(kCentralNumerator, near) /
                       unfused_polynomial(kCentralDenominator, near);
  const Real tail = min<double>(probability, 1.0 - probability);
  const Real far = sqrt(-unfused_log(tail)) - 1.6;
  const Real size =
      unfused_polynomial(kTailNumerator, far) / unfused_polynomial(kTailDenominator, far);
  const Real outer = select<double>(centred < 0.0, -size, size);
  return select<double>(abs<double>(centred) <= 0.425, central, outer);
}

}  // namespace
