// SPDX-License-Identifier: Apache-2.0
// Lion. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.
//
//   w <- (1 - learning_rate weight_decay) w
//   w <- w - learning_rate sign(beta1 m + (1 - beta1) g)
//   m <- beta2 m + (1 - beta2) g
//
// w, g, m: vectors of neighbouring entries of one parameter.
#pragma once

#include "kernels/optimizers/rule.hpp"

namespace {

template <class T>
struct Rule<chainrule::Lion, T> {
  T learning_rate, decay_factor, beta1, one_minus_beta1, beta2, one_minus_beta2;

  static Rule at(const chainrule::Lion& o, const StepNumber& step) {
    return {static_cast<T>(step.learning_rate),
            static_cast<T>(1.0 - step.learning_rate * o.weight_decay),
            static_cast<T>(o.beta1),
            static_cast<T>(1.0 - o.beta1),
            static_cast<T>(o.beta2),
            static_cast<T>(1.0 - o.beta2)};
  }

  template <class V>
  CHAINRULE_INLINE V step(V w, V g, V* s) const {
    const V m = s[0];
    w = w * decay_factor;
    w = w - learning_rate * sign<T>(beta1 * m + one_minus_beta1 * g);
    s[0] = beta2 * m + one_minus_beta2 * g;
    return w;
  }

  template <class B>
  void bound(B& b) const {
    double& m = b.slots[0];
    b.within(beta1 * m + one_minus_beta1 * b.gradient);
    b.weight = b.within(b.weight * b.magnitude(decay_factor) + b.within(learning_rate));
    m = b.within(beta2 * m + one_minus_beta2 * b.gradient);
  }
};

}  // namespace
