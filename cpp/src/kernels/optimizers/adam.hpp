// SPDX-License-Identifier: Apache-2.0
// Adam and AdamW, as torch.optim.Adam and AdamW. Kingma and Ba, "Adam: a method for stochastic
// optimization", ICLR 2015; amsgrad: Reddi, Kale and Kumar, "On the convergence of Adam and
// beyond", ICLR 2018; AdamW: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR
// 2019.
//
//   g <- g + weight_decay w                        AdamW: w <- (1 - learning_rate weight_decay) w
//   m <- m + (1 - beta1) (g - m)
//   v <- beta2 v + (1 - beta2) g^2                 amsgrad: u <- max(u, v), u in the place of v
//   w <- w - step_size m / (sqrt(v) correction + epsilon)
//
// with step_size = learning_rate / (1 - beta1^t) and correction = 1 / sqrt(1 - beta2^t). With
// epsilon_hat, as in the formula before section 2.1 of the first paper, epsilon is corrected too:
// (sqrt(v) + epsilon) correction.
// w, g, m, v, u: vectors of neighbouring entries of one parameter.
#pragma once

#include "kernels/optimizers/rule.hpp"

namespace {

template <class Options, class T>
struct AdamRule {
  static constexpr bool decoupled = Options::row.kind == chainrule::OptimizerKind::adamw;
  T weight_decay, decay_factor, one_minus_beta1, beta2, one_minus_beta2, epsilon, step_size,
      correction;
  bool amsgrad;

  static AdamRule at(const Options& o, const StepNumber& step) {
    const double correction = 1.0 / __builtin_sqrt(step.bias_correction(o.beta2));
    return {static_cast<T>(o.weight_decay),
            static_cast<T>(1.0 - step.learning_rate * o.weight_decay),
            static_cast<T>(1.0 - o.beta1),
            static_cast<T>(o.beta2),
            static_cast<T>(1.0 - o.beta2),
            static_cast<T>(o.epsilon_hat ? o.epsilon * correction : o.epsilon),
            static_cast<T>(step.learning_rate / step.bias_correction(o.beta1)),
            static_cast<T>(correction),
            o.amsgrad};
  }

  template <class V>
  CHAINRULE_INLINE V step(V w, V g, V* s) const {
    if constexpr (decoupled) {
      w = w * decay_factor;
    } else {
      g = decayed(weight_decay, w, g);
    }
    const V m = s[0] + one_minus_beta1 * (g - s[0]);
    s[0] = m;
    V v = beta2 * s[1] + one_minus_beta2 * (g * g);
    s[1] = v;
    if (amsgrad) {
      v = max<T>(s[2], v);
      s[2] = v;
    }
    return w - step_size * (m / (sqrt(v) * correction + epsilon));
  }

  template <class B>
  void bound(B& b) const {
    double g = b.gradient;
    if constexpr (decoupled) {
      b.weight = b.within(b.weight * b.magnitude(decay_factor));
    } else {
      g = decayed_bound(weight_decay, b);
    }
    double& m = b.slots[0];
    double& v = b.slots[1];
    m = b.average(m, g);
    v = b.within(beta2 * v + one_minus_beta2 * b.within(g * g));
    if (amsgrad) b.slots[2] = b.larger(b.slots[2], v);
    b.within(b.root(amsgrad ? b.slots[2] : v) * b.within(correction));
    const double direction = b.over_average(m, 1.0 - one_minus_beta1, beta2, epsilon);
    b.weight = b.within(b.weight + b.within(step_size) * b.within(direction));
  }
};

template <class T>
struct Rule<chainrule::Adam, T> : AdamRule<chainrule::Adam, T> {};

template <class T>
struct Rule<chainrule::AdamW, T> : AdamRule<chainrule::AdamW, T> {};

}  // namespace
