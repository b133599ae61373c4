// SPDX-License-Identifier: Apache-2.0
// NAdam, as torch.optim.NAdam. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop,
// 2016.
//
//   g <- g + weight_decay w           decoupled: w <- (1 - learning_rate weight_decay) w
//   m <- m + (1 - beta1) (g - m)
//   v <- beta2 v + (1 - beta2) g^2
//   w <- w - (gradient_size g + momentum_size m) / (sqrt(v) correction + epsilon)
//
// with mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2), gradient_size = learning_rate (1 - mu_t) /
// (1 - mu_1 ... mu_t), momentum_size = learning_rate mu_(t+1) / (1 - mu_1 ... mu_(t+1)) and
// correction = 1 / sqrt(1 - beta2^t).
// w, g, m, v: vectors of neighbouring entries of one parameter.
#pragma once

#include "kernels/optimizers/rule.hpp"

namespace {

template <class T>
struct Rule<chainrule::NAdam, T> {
  T weight_decay, decay_factor, one_minus_beta1, beta2, one_minus_beta2, epsilon, gradient_size,
      momentum_size, correction;

  static Rule at(const chainrule::NAdam& o, const StepNumber& step) {
    const auto momentum = [&](double decayed) { return o.beta1 * (1.0 - 0.5 * decayed); };
    const double decay = step.power(0.96, o.momentum_decay);
    double product = 1.0;
    double decayed = 1.0;
    // One minus a product that is smaller is 1, so further factors are of no account.
    for (double t = 1.0; t <= step.t && product > 1e-17; ++t) {
      decayed *= decay;
      product *= momentum(decayed);
    }
    const double now = momentum(step.power(0.96, step.t * o.momentum_decay));
    const double next = momentum(step.power(0.96, (step.t + 1.0) * o.momentum_decay));
    const bool decoupled = o.decoupled_weight_decay;
    return {static_cast<T>(decoupled ? 0.0 : o.weight_decay),
            static_cast<T>(decoupled ? 1.0 - step.learning_rate * o.weight_decay : 1.0),
            static_cast<T>(1.0 - o.beta1),
            static_cast<T>(o.beta2),
            static_cast<T>(1.0 - o.beta2),
            static_cast<T>(o.epsilon),
            static_cast<T>(step.learning_rate * (1.0 - now) / (1.0 - product)),
            static_cast<T>(step.learning_rate * next / (1.0 - product * next)),
            static_cast<T>(1.0 / __builtin_sqrt(step.bias_correction(o.beta2)))};
  }

  template <class V>
  CHAINRULE_INLINE V step(V w, V g, V* s) const {
    g = decayed(weight_decay, w, g);
    const V m = s[0] + one_minus_beta1 * (g - s[0]);
    s[0] = m;
    const V v = beta2 * s[1] + one_minus_beta2 * (g * g);
    s[1] = v;
    const V direction = gradient_size * g + momentum_size * m;
    return w * decay_factor - direction / (sqrt(v) * correction + epsilon);
  }

  template <class B>
  void bound(B& b) const {
    const double g = decayed_bound(weight_decay, b);
    double& m = b.slots[0];
    double& v = b.slots[1];
    m = b.average(m, g);
    v = b.within(beta2 * v + one_minus_beta2 * b.within(g * g));
    b.within(b.root(v) * b.within(correction));
    const double of_m = b.over_average(m, 1.0 - one_minus_beta1, beta2, epsilon);
    const double of_g = b.over_root(g, double{one_minus_beta2}, double{epsilon});
    b.within(b.within(gradient_size) * g + b.within(momentum_size) * m);
    const double change = b.within(gradient_size * of_g) + b.within(momentum_size * of_m);
    b.weight = b.within(b.weight * b.magnitude(decay_factor) + b.within(change));
  }
};

}  // namespace
