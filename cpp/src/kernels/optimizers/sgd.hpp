// SPDX-License-Identifier: Apache-2.0
// Stochastic gradient descent with momentum, as torch.optim.SGD. Sutskever et al., "On the
// importance of initialization and momentum in deep learning", ICML 2013.
//
//   g <- g + weight_decay w
//   m <- momentum m + (1 - dampening) g       first step: m = g
//   w <- w - learning_rate m                  nesterov: g + momentum m in the place of m
//
// w, g, m: vectors of neighbouring entries of one parameter; without momentum m = g is not kept.
#pragma once

#include "kernels/optimizers/rule.hpp"

namespace {

template <class T>
struct Rule<chainrule::Sgd, T> {
  T learning_rate, weight_decay, momentum, one_minus_dampening;
  bool has_momentum, nesterov, first_step;

  static Rule at(const chainrule::Sgd& o, const StepNumber& step) {
    return {static_cast<T>(step.learning_rate),
            static_cast<T>(o.weight_decay),
            static_cast<T>(o.momentum),
            static_cast<T>(1.0 - o.dampening),
            o.momentum != 0.0,
            o.nesterov,
            step.t == 1.0};
  }

  template <class V>
  CHAINRULE_INLINE V step(V w, V g, V* s) const {
    g = decayed(weight_decay, w, g);
    if (has_momentum) {
      const V m = first_step ? g : momentum * s[0] + one_minus_dampening * g;
      s[0] = m;
      g = nesterov ? g + momentum * m : m;
    }
    return w - learning_rate * g;
  }

  template <class B>
  void bound(B& b) const {
    const double g = decayed_bound(weight_decay, b);
    double direction = g;
    if (has_momentum) {
      double& m = b.slots[0];
      m = first_step ? g : b.within(momentum * m + one_minus_dampening * g);
      direction = nesterov ? b.within(g + momentum * m) : m;
    }
    b.weight = b.within(b.weight + b.within(learning_rate) * direction);
  }
};

}  // namespace
