// SPDX-License-Identifier: Apache-2.0
// AdaGrad, as torch.optim.Adagrad. Duchi, Hazan and Singer, "Adaptive subgradient methods for
// online learning and stochastic optimization", JMLR 12, 2011.
//
//   g <- g + weight_decay w
//   s <- s + g^2
//   w <- w - learning_rate / (1 + (t - 1) lr_decay) g / (sqrt(s) + epsilon)
//
// w, g, s: vectors of neighbouring entries of one parameter.
#pragma once

#include "kernels/optimizers/rule.hpp"

namespace {

template <class T>
struct Rule<chainrule::AdaGrad, T> {
  T step_size, weight_decay, epsilon;

  static Rule at(const chainrule::AdaGrad& o, const StepNumber& step) {
    return {static_cast<T>(step.learning_rate / (1.0 + (step.t - 1.0) * o.lr_decay)),
            static_cast<T>(o.weight_decay), static_cast<T>(o.epsilon)};
  }

  template <class V>
  CHAINRULE_INLINE V step(V w, V g, V* slots) const {
    g = decayed(weight_decay, w, g);
    const V s = slots[0] + g * g;
    slots[0] = s;
    return w - step_size * (g / (sqrt(s) + epsilon));
  }

  template <class B>
  void bound(B& b) const {
    const double g = decayed_bound(weight_decay, b);
    double& s = b.slots[0];
    s = b.within(s + b.within(g * g));
    b.weight =
        b.within(b.weight + b.within(step_size) * b.within(b.over_root(g, 1.0, double{epsilon})));
  }
};

}  // namespace
