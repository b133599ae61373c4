// SPDX-License-Identifier: Apache-2.0
#include "engine/second_order/parameter_vector.hpp"

namespace chainrule::engine {

// penalty = sum over arrays of l1 sum |w| + l2 sum w^2; gradient += l1 sign(w) + 2 l2 w, 0 at w = 0
// for l1. w, gradient: size()
double ParameterVector::add_penalties(const Vector& w, Vector& gradient) const {
  double penalty = 0.0;
  for (const Part& part : parts_) {
    if (part.l1 == 0.0 && part.l2 == 0.0) continue;
    const auto begin = static_cast<std::size_t>(part.first);
    const auto end = static_cast<std::size_t>(part.end());
    double magnitudes = 0.0;
    for (std::size_t i = begin; i < end; ++i) {
      magnitudes += std::fabs(w[i]);
      const double sign = w[i] > 0.0 ? 1.0 : w[i] < 0.0 ? -1.0 : 0.0;
      gradient[i] += part.l1 * sign + 2.0 * part.l2 * w[i];
    }
    penalty += part.l1 * magnitudes +
               part.l2 * dot(w.data() + begin, w.data() + begin, part.end() - part.first);
  }
  return penalty;
}

// diagonal += l2, half the second derivative of l2 w^2
void ParameterVector::add_curvatures(Vector& diagonal) const {
  for (const Part& part : parts_)
    for (std::int64_t i = part.first; i < part.end(); ++i)
      diagonal[static_cast<std::size_t>(i)] += part.l2;
}

}  // namespace chainrule::engine
