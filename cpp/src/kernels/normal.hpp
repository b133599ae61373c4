// SPDX-License-Identifier: Apache-2.0
// Normal variates from random words: operation by operation what model/normal_quantile.cpp does, so
// that the bits are the same. Only + - * / and sqrt, and no fused multiply-add, which some
// processors have to emulate.
#pragma once

#include "kernels/math/format.hpp"
#include "kernels/philox.hpp"
#include "kernels/simd.hpp"
#include "model/normal_coefficients.hpp"

namespace {

using Real = Vec<double>;

CHAINRULE_INLINE Real unfused_polynomial(const double (&coefficients)[8], Real x) {
  Real value = broadcast(coefficients[0]);
  for (int i = 1; i < 8; ++i) value = value * x + coefficients[i];
  return value;
}

/// The natural logarithm of positive normal numbers.
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
  const Real central = centred * unfused_polynomial(chainrule::normal::central_numerator, near) /
                       unfused_polynomial(chainrule::normal::central_denominator, near);
  const Real tail = min<double>(probability, 1.0 - probability);
  const Real far = sqrt(-unfused_log(tail)) - 1.6;
  const Real size = unfused_polynomial(chainrule::normal::middle_numerator, far) /
                    unfused_polynomial(chainrule::normal::middle_denominator, far);
  const Real outer = select<double>(centred < 0.0, -size, size);
  return select<double>(abs<double>(centred) <= 0.425, central, outer);
}

}  // namespace
