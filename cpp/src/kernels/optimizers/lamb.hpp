// SPDX-License-Identifier: Apache-2.0
// LAMB. You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR
// 2020, algorithm 2 with phi(x) = x.
//
//   m <- m + (1 - beta1) (g - m)
//   v <- beta2 v + (1 - beta2) g^2
//   d = step_size m / (sqrt(v) correction + epsilon) + weight_decay w
//   w <- w - learning_rate |w| / |d| d             where a norm is zero: w - learning_rate d
//
// with step_size = 1 / (1 - beta1^t) and correction = 1 / sqrt(1 - beta2^t); |.| is the 2-norm of a
// whole parameter. w, g, m, v, d: vectors of neighbouring entries of one parameter.
#pragma once

#include "kernels/optimizers/rule.hpp"

namespace {

template <class T>
struct Rule<chainrule::Lamb, T> {
  T learning_rate, weight_decay, one_minus_beta1, beta2, one_minus_beta2, epsilon, step_size,
      correction;

  static Rule at(const chainrule::Lamb& o, const StepNumber& step) {
    return {static_cast<T>(step.learning_rate),
            static_cast<T>(o.weight_decay),
            static_cast<T>(1.0 - o.beta1),
            static_cast<T>(o.beta2),
            static_cast<T>(1.0 - o.beta2),
            static_cast<T>(o.epsilon),
            static_cast<T>(1.0 / step.bias_correction(o.beta1)),
            static_cast<T>(1.0 / __builtin_sqrt(step.bias_correction(o.beta2)))};
  }

  template <class V>
  CHAINRULE_INLINE void remember(V g, V* s) const {
    s[0] = s[0] + one_minus_beta1 * (g - s[0]);
    s[1] = beta2 * s[1] + one_minus_beta2 * (g * g);
  }

  template <class V>
  CHAINRULE_INLINE V direction(V w, const V* s) const {
    return decayed(weight_decay, w, step_size * (s[0] / (sqrt(s[1]) * correction + epsilon)));
  }

  /// The trust ratio.
  static double scale(double weight_norm, double direction_norm) {
    if (weight_norm == 0.0 || direction_norm == 0.0) return 1.0;
    // A direction that has all but vanished would give a ratio beyond the range of T.
    const double ratio = weight_norm / direction_norm;
    return ratio > 0x1p100 ? 0x1p100 : ratio;
  }

  template <class V>
  CHAINRULE_INLINE V step(V w, V d, T scale) const {
    return w - learning_rate * (scale * d);
  }

  template <class B>
  void bound(B& b) const {
    double& m = b.slots[0];
    double& v = b.slots[1];
    m = b.average(m, b.gradient);
    v = b.within(beta2 * v + one_minus_beta2 * b.within(b.gradient * b.gradient));
    b.within(b.root(v) * b.within(correction));
    const double rate = b.within(learning_rate);
    const double averages = b.within(
        b.within(step_size) * b.within(b.over_average(m, 1.0 - one_minus_beta1, beta2, epsilon)));
    b.within(averages + b.within(weight_decay) * b.weight);
    if (sizeof(T) == sizeof(double)) b.within(b.weight * b.weight);  // sums are in double
    // b.weight bounds norms, of which a step adds a fraction; to a parameter that is zero it adds
    // the averages, whose norm is at most this often as large as an entry.
    constexpr double most_entries_root = 0x1p20;
    b.weight = b.within(b.weight + rate * (b.weight + b.within(most_entries_root * averages)));
  }
};

}  // namespace
