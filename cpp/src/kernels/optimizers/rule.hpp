// SPDX-License-Identifier: Apache-2.0
// What the files of this folder, one an optimizer, hold: the update rule with its formula.
#pragma once

#include "chainrule/optimizers.hpp"
#include "kernels/inline.hpp"

namespace chainrule::kernels {

/// A step, whose number and learning rate the numbers of a rule depend on.
struct StepNumber {
  double learning_rate;
  double t;  // counted from 1
  double (*power)(double base, double exponent);

  /// 1 - beta^t, by which an average with the weight beta of the past falls short after t steps.
  double bias_correction(double beta) const { return 1.0 - power(beta, t); }
};

}  // namespace chainrule::kernels

namespace {

using chainrule::kernels::StepNumber;

/// The update rule of the optimizer with these options for numbers of type T. A specialisation
/// holds what one step needs of the options, in T, and
///
/// - `at(options, step)`: the rule of that step, worked out in double (engine);
/// - `step(w, g, s)`: the weights after a step, where V is a vector of neighbouring weights, g
/// their
///   gradients and s[0], s[1], ... the slots that are kept, in their order, which change
///   too (kernels);
/// - `bound(b)`: the same formula for upper bounds: b.weight and b.slots[..] of magnitudes before
///   the step become those after it, b.gradient bounds gradients, and every number that the step
///   works out goes through b.within (engine).
///
/// One that needs the whole gradient of a parameter has in the place of `step(w, g, s)`
///
/// - `remember(g, s)`: the slots after a step;
/// - `direction(w, s)`: from them the direction d of the step;
/// - `scale(weight_norm, direction_norm)`: a factor for the whole parameter, from the 2-norms of
/// its
///   weights and of d (engine);
/// - `step(w, d, scale)`: the weights after the step.
template <class Options, class T>
struct Rule;

/// The gradient with coupled weight decay, g + decay w.
template <class T, class V>
CHAINRULE_INLINE V decayed(T weight_decay, V w, V g) {
  return weight_decay != T(0) ? g + weight_decay * w : g;
}

template <class T, class B>
double decayed_bound(T weight_decay, B& b) {
  return b.within(b.gradient + b.within(double{weight_decay}) * b.weight);
}

}  // namespace
