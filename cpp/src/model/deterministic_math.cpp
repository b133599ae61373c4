// SPDX-License-Identifier: Apache-2.0
#include "model/deterministic_math.hpp"

#include <cmath>
#include <numbers>

namespace chainrule::model {
namespace {

/// first + sum of the following terms of a Taylor series, term(i) = term(i - 1) * x / (i's
/// divisor).
template <class Divisor>
double taylor(double x, double first, int terms, Divisor divisor) {
  // From the smallest term up, as 1 + x/d1 (1 + x/d2 (1 + ...)).
  double sum = 1.0;
  for (int i = terms; i >= 1; --i) sum = 1.0 + sum * x / divisor(i);
  return first * sum;
}

double cos_small(double x) {
  return taylor(-x * x, 1.0, 9, [](int i) { return (2.0 * i - 1.0) * (2.0 * i); });
}

double sin_small(double x) {
  return taylor(-x * x, x, 9, [](int i) { return (2.0 * i) * (2.0 * i + 1.0); });
}

double whole_power(double base, std::int64_t exponent) {
  double result = 1.0;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) result *= base;
    base *= base;
  }
  return result;
}

}  // namespace

double log(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < std::numbers::sqrt2 / 2.0) {
    mantissa *= 2.0;
    --exponent;
  }
  // 2 artanh((m - 1) / (m + 1)) for the mantissa m in [sqrt(1/2), sqrt(2)).
  const double ratio = (mantissa - 1.0) / (mantissa + 1.0);
  const double square = ratio * ratio;
  double series = 0.0;
  // |ratio| < 0.172, so the next term, ratio^21 / 21, is below 2^-55 of the sum.
  for (int power = 19; power >= 1; power -= 2) series = series * square + 1.0 / power;
  return exponent * std::numbers::ln2 + 2.0 * ratio * series;
}

double exp(double x) {
  const double halvings = std::floor(x / std::numbers::ln2 + 0.5);
  // ln 2 as a part whose multiples are exact, and the rest.
  const double rest = (x - halvings * 0x1.62e42fee00000p-1) - halvings * 0x1.a39ef35793c76p-33;
  // |rest| < 0.35, so the next term, rest^15 / 15!, is below 2^-60.
  return std::ldexp(taylor(rest, 1.0, 14, [](int i) { return double(i); }),
                    static_cast<int>(halvings));
}

double cos_pi(double x) {
  if (x > 0.5) return -cos_pi(1.0 - x);
  return x > 0.25 ? sin_small(std::numbers::pi * (0.5 - x)) : cos_small(std::numbers::pi * x);
}

double power(double base, double exponent) {
  const double whole = std::floor(exponent);
  const double fractional = exponent - whole;
  // Beyond 2^62 steps any base but 1 has long reached its limit.
  const double result = whole_power(base, static_cast<std::int64_t>(std::fmin(whole, 0x1p62)));
  return fractional > 0.0 ? result * exp(fractional * log(base)) : result;
}

}  // namespace chainrule::model
