// SPDX-License-Identifier: Apache-2.0
#include "engine/optimizer/update.hpp"

#include <cmath>
#include <cstring>
#include <string>

#include "chainrule/error.hpp"
#include "kernels/all_optimizers.hpp"  // made by CMake: includes each file of kernels/optimizers
#include "model/deterministic_math.hpp"
#include "model/optimizer_options.hpp"

namespace chainrule::engine {

void check_learning_rate(double rate) {
  if (!std::isfinite(rate) || rate < 0.0)
    throw Error("the learning rate must be finite and >= 0, got " + std::to_string(rate));
}

// What a step needs of the options, worked out once in double: bias corrections, the rate of this
// step. The kernels see bytes whose layout only the Rule of their kind knows, so that the table of
// kernels has one update for all optimizers.
template <class T>
kernels::UpdateRule<T> make_rule(const Optimizer& optimizer, const StepFactors& factors,
                                 std::int64_t step) {
  kernels::UpdateRule<T> made{};
  made.kind = optimizer.kind();
  made.gradient = {static_cast<T>(optimizer.clip_value), T(1)};
  const kernels::StepNumber number{factors.learning_rate, static_cast<double>(step), model::power};
  model::with_options(optimizer, [&]<class Options>(const Options& options) {
    Options own = options;
    own.weight_decay *= factors.weight_decay_factor;
    const auto rule = Rule<Options, T>::at(own, number);
    static_assert(sizeof(rule) <= sizeof(made.numbers));
    std::memcpy(made.numbers, &rule, sizeof(rule));
  });
  return made;
}

// Finds the rule by its kind among `All`; rules that do not need whole gradients have a scale of 1.
template <class T, class... All>
double scale_of(const kernels::UpdateRule<T>& rule, double weight_norm, double direction_norm,
                OptimizerTable<All...>) {
  double scale = 1.0;
  const auto is_found = [&]<class Options>() {
    if constexpr (Options::row.needs_whole_gradient)
      scale = Rule<Options, T>::scale(weight_norm, direction_norm);
    return rule.kind == Options::row.kind;
  };
  (void)(is_found.template operator()<All>() || ...);
  return scale;
}

template <class T>
double step_scale(const kernels::UpdateRule<T>& rule, double weight_norm, double direction_norm) {
  return scale_of(rule, weight_norm, direction_norm, Optimizers());
}

// `slots[i]` and `values` are arenas of one layout: what belongs to a weight is at the same offset
// in each.
template <class T>
Update<T> make_update(const kernels::KernelTable<T>& kernels, const Optimizer& optimizer,
                      const StepFactors& factors, Parameters<T>& parameters,
                      OptimizerState<T>& state, std::int64_t step,
                      kernels::UpdateRule<T>* group_rules) {
  Update<T> u;
  u.kernels = &kernels;
  u.optimizer = &optimizer;
  u.rule = make_rule<T>(optimizer, factors, step);
  u.group_rules = group_rules;
  for (std::size_t i = 0; i < parameters.groups().size(); ++i) {
    const ParameterGroup& group = parameters.groups()[i];
    const StepFactors own{factors.learning_rate * group.learning_rate_factor,
                          factors.weight_decay_factor * group.weight_decay_factor};
    group_rules[i] = make_rule<T>(optimizer, own, step);
  }
  u.values = parameters.values.data();
  for (std::size_t i = 0; i < state.slots.size(); ++i) u.slots[i] = state.slots[i].data();
  u.nonzero_state = &state.nonzero_state;
  return u;
}

template kernels::UpdateRule<float> make_rule(const Optimizer&, const StepFactors&, std::int64_t);
template kernels::UpdateRule<double> make_rule(const Optimizer&, const StepFactors&, std::int64_t);
template double step_scale(const kernels::UpdateRule<float>&, double, double);
template double step_scale(const kernels::UpdateRule<double>&, double, double);
template Update<float> make_update(const kernels::KernelTable<float>&, const Optimizer&,
                                   const StepFactors&, Parameters<float>&, OptimizerState<float>&,
                                   std::int64_t, kernels::UpdateRule<float>*);
template Update<double> make_update(const kernels::KernelTable<double>&, const Optimizer&,
                                    const StepFactors&, Parameters<double>&,
                                    OptimizerState<double>&, std::int64_t,
                                    kernels::UpdateRule<double>*);

}  // namespace chainrule::engine
