// SPDX-License-Identifier: Apache-2.0
// RMSprop, as torch.optim.RMSprop. Tieleman and Hinton, lecture 6.5 of "Neural networks for machine
// learning", 2012; centered: Graves, "Generating sequences with recurrent neural networks", 2013.
//
//   g <- g + weight_decay w
//   v <- rho v + (1 - rho) g^2
//   a <- a + (1 - rho) (g - a)                     centered; r = max(v - a^2, 0), else r = v
//   d = g / (sqrt(r) + epsilon)
//   m <- momentum m + d                            without momentum: m = d
//   w <- w - learning_rate m
//
// w, g, v, m, a: vectors of neighbouring entries of one parameter. v - a^2 is a variance, which
// rounding can make negative; the maximum is the one departure from PyTorch.
#pragma once

#include "kernels/optimizers/rule.hpp"

namespace {

template <class T>
struct Rule<chainrule::RmsProp, T> {
  T learning_rate, weight_decay, rho, one_minus_rho, epsilon, momentum;
  bool has_momentum, centered;

  static Rule at(const chainrule::RmsProp& o, const StepNumber& step) {
    return {static_cast<T>(step.learning_rate),
            static_cast<T>(o.weight_decay),
            static_cast<T>(o.rho),
            static_cast<T>(1.0 - o.rho),
            static_cast<T>(o.epsilon),
            static_cast<T>(o.momentum),
            o.momentum != 0.0,
            o.centered};
  }

  // Slots are v and, where they are kept, m and a.
  template <class V>
  CHAINRULE_INLINE V step(V w, V g, V* s) const {
    g = decayed(weight_decay, w, g);
    const V v = rho * s[0] + one_minus_rho * (g * g);
    s[0] = v;
    V root = v;
    if (centered) {
      const V old = has_momentum ? s[2] : s[1];
      const V a = old + one_minus_rho * (g - old);
      if (has_momentum) {
        s[2] = a;
      } else {
        s[1] = a;
      }
      root = max<T>(v - a * a, V{});
    }
    const V d = g / (sqrt(root) + epsilon);
    if (!has_momentum) return w - learning_rate * d;
    const V m = momentum * s[1] + d;
    s[1] = m;
    return w - learning_rate * m;
  }

  template <class B>
  void bound(B& b) const {
    const double g = decayed_bound(weight_decay, b);
    double& v = b.slots[0];
    v = b.within(rho * v + one_minus_rho * b.within(g * g));
    double direction = b.over_root(g, double{one_minus_rho}, double{epsilon});
    if (centered) {
      double& a = b.slots[has_momentum ? 2 : 1];
      a = b.within(a + one_minus_rho * b.within(g + a));
      b.within(a * a);
      direction = g / epsilon;
    }
    direction = b.within(direction);
    if (has_momentum) direction = b.slots[1] = b.within(momentum * b.slots[1] + direction);
    b.weight = b.within(b.weight + b.within(learning_rate) * direction);
  }
};

}  // namespace
