// SPDX-License-Identifier: Apache-2.0
#include "model/normal_quantile.hpp"

#include <algorithm>
#include <cmath>

#include "model/deterministic_math.hpp"
#include "model/normal_coefficients.hpp"

namespace chainrule::model {
namespace {

double polynomial(const double (&coefficients)[8], double x) {
  double value = coefficients[0];
  for (int i = 1; i < 8; ++i) value = value * x + coefficients[i];
  return value;
}

}  // namespace

double normal_quantile(double probability) {
  const double centred = probability - 0.5;
  if (std::abs(centred) <= 0.425) {
    const double r = 0.180625 - centred * centred;
    return centred * polynomial(normal::central_numerator, r) /
           polynomial(normal::central_denominator, r);
  }
  const double tail = std::min(probability, 1.0 - probability);
  const double r = std::sqrt(-model::log(tail));
  const double size = r <= 5.0 ? polynomial(normal::middle_numerator, r - 1.6) /
                                     polynomial(normal::middle_denominator, r - 1.6)
                               : polynomial(normal::far_numerator, r - 5.0) /
                                     polynomial(normal::far_denominator, r - 5.0);
  return centred < 0.0 ? -size : size;
}

}  // namespace chainrule::model
