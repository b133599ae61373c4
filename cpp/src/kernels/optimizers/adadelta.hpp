// SPDX-License-Identifier: Apache-2.0
// Adadelta, as torch.optim.Adadelta. Zeiler, "ADADELTA: an adaptive learning rate method", 2012.
//
//   g <- g + weight_decay w
//   v <- rho v + (1 - rho) g^2
//   d = sqrt(u + epsilon) / sqrt(v + epsilon) g
//   u <- rho u + (1 - rho) d^2
//   w <- w - learning_rate d
//
// w, g, v, u: vectors of neighbouring entries of one parameter.
#pragma once

#include "kernels/optimizers/rule.hpp"

namespace {

template <class T>
struct Rule<chainrule::Adadelta, T> {
  T learning_rate, weight_decay, rho, one_minus_rho, epsilon;

  static Rule at(const chainrule::Adadelta& o, const StepNumber& step) {
    return {static_cast<T>(step.learning_rate), static_cast<T>(o.weight_decay),
            static_cast<T>(o.rho), static_cast<T>(1.0 - o.rho), static_cast<T>(o.epsilon)};
  }

  template <class V>
  CHAINRULE_INLINE V step(V w, V g, V* s) const {
    g = decayed(weight_decay, w, g);
    const V v = rho * s[0] + one_minus_rho * (g * g);
    s[0] = v;
    const V u = s[1];
    const V d = sqrt(u + epsilon) / sqrt(v + epsilon) * g;
    s[1] = rho * u + one_minus_rho * (d * d);
    return w - learning_rate * d;
  }

  template <class B>
  void bound(B& b) const {
    const double g = decayed_bound(weight_decay, b);
    double& v = b.slots[0];
    double& u = b.slots[1];
    v = b.within(rho * v + one_minus_rho * b.within(g * g));
    const double root = b.root(u + epsilon);
    const double root_epsilon = b.root(double{epsilon});
    b.within(root / root_epsilon);
    // Here epsilon stands under the root.
    const double d = b.within(root * b.over_root(g, double{one_minus_rho}, root_epsilon));
    u = b.within(rho * u + one_minus_rho * b.within(d * d));
    b.weight = b.within(b.weight + b.within(learning_rate) * d);
  }
};

}  // namespace
