// SPDX-License-Identifier: Apache-2.0
// RAdam, as torch.optim.RAdam. Liu et al., "On the variance of the adaptive learning rate and
// beyond", ICLR 2020.
//
//   g <- g + weight_decay w           decoupled: w <- (1 - learning_rate weight_decay) w
//   m <- m + (1 - beta1) (g - m)
//   v <- beta2 v + (1 - beta2) g^2
//   w <- w - step_size m / (sqrt(v) + epsilon)     from the step on where rho_t > 5, before it
//   w <- w - step_size m
//
// with rho_oo = 2 / (1 - beta2) - 1, rho_t = rho_oo - 2 t beta2^t / (1 - beta2^t), and step_size =
// learning_rate / (1 - beta1^t), where rho_t > 5 times sqrt(1 - beta2^t) r, r^2 = (rho_t - 4)
// (rho_t - 2) rho_oo / ((rho_oo - 4) (rho_oo - 2) rho_t).
// w, g, m, v: vectors of neighbouring entries of one parameter.
#pragma once

#include "kernels/optimizers/rule.hpp"

namespace {

template <class T>
struct Rule<chainrule::RAdam, T> {
  T weight_decay, decay_factor, one_minus_beta1, beta2, one_minus_beta2, epsilon, step_size;
  bool is_rectified;

  static Rule at(const chainrule::RAdam& o, const StepNumber& step) {
    const double correction = step.bias_correction(o.beta2);
    const double longest = 2.0 / (1.0 - o.beta2) - 1.0;
    const double length = longest - 2.0 * step.t * step.power(o.beta2, step.t) / correction;
    const bool rectified = length > 5.0;
    double size = step.learning_rate / step.bias_correction(o.beta1);
    if (rectified) {
      size *= __builtin_sqrt(correction * (length - 4.0) * (length - 2.0) * longest /
                             ((longest - 4.0) * (longest - 2.0) * length));
    }
    const bool decoupled = o.decoupled_weight_decay;
    return {static_cast<T>(decoupled ? 0.0 : o.weight_decay),
            static_cast<T>(decoupled ? 1.0 - step.learning_rate * o.weight_decay : 1.0),
            static_cast<T>(1.0 - o.beta1),
            static_cast<T>(o.beta2),
            static_cast<T>(1.0 - o.beta2),
            static_cast<T>(o.epsilon),
            static_cast<T>(size),
            rectified};
  }

  template <class V>
  CHAINRULE_INLINE V step(V w, V g, V* s) const {
    g = decayed(weight_decay, w, g);
    const V m = s[0] + one_minus_beta1 * (g - s[0]);
    s[0] = m;
    const V v = beta2 * s[1] + one_minus_beta2 * (g * g);
    s[1] = v;
    const V direction = is_rectified ? m / (sqrt(v) + epsilon) : m;
    return w * decay_factor - step_size * direction;
  }

  template <class B>
  void bound(B& b) const {
    const double g = decayed_bound(weight_decay, b);
    double& m = b.slots[0];
    double& v = b.slots[1];
    m = b.average(m, g);
    v = b.within(beta2 * v + one_minus_beta2 * b.within(g * g));
    const double by_root = b.over_average(m, 1.0 - one_minus_beta1, beta2, epsilon);
    const double direction = is_rectified ? b.within(by_root) : m;
    b.weight = b.within(b.weight * b.magnitude(decay_factor) + b.within(step_size) * direction);
  }
};

}  // namespace
