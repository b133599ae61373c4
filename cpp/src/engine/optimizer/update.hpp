// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "chainrule/optimizer.hpp"
#include "engine/optimizer/optimizer_state.hpp"
#include "engine/parameters.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// What a step has in the place of the optimizer's numbers.
struct StepFactors {
  StepFactors(double learning_rate_, double weight_decay_factor_ = 1.0)
      : learning_rate(learning_rate_), weight_decay_factor(weight_decay_factor_) {}

  double learning_rate;
  double weight_decay_factor;  // of the optimizer's weight decay
};

/// The numbers of step `step` (counted from 1), worked out in double.
template <class T>
kernels::UpdateRule<T> make_rule(const Optimizer& optimizer, const StepFactors& factors,
                                 std::int64_t step);

/// Throws Error unless it is finite and not negative.
void check_learning_rate(double rate);

/// Neighbouring entries of a parameter.
struct Entries {
  std::int64_t first = 0;
  std::int64_t size = 0;
};

/// One optimizer step under way: applies its rule to any piece of the arena.
template <class T>
struct Update {
  const kernels::KernelTable<T>* kernels = nullptr;
  const Optimizer* optimizer = nullptr;
  kernels::UpdateRule<T> rule{};
  /// The rules of groups of parameters with factors; their gradient options are those of `rule`.
  const kernels::UpdateRule<T>* group_rules = nullptr;
  T* values = nullptr;
  T* slots[kMostOptimizerSlots] = {};
  NonzeroStateRows* nonzero_state = nullptr;
  double gradient_scale = 1.0;  // what gradients are given times, a power of two

  /// Updates entries [first, first + size) of parameter p by their gradients g, and prefetches
  /// those of a later call.
  void apply(const Parameter& p, std::int64_t first, const T* g, std::int64_t size,
             Entries prefetch = {}) const {
    with_rule(p, [&](const kernels::UpdateRule<T>& own) {
      kernels->update(own, arguments(p, first, g, size, prefetch));
    });
  }

  /// Calls work with the rule of the parameter's group.
  template <class Work>
  void with_rule(const Parameter& p, const Work& work) const {
    if (p.group == 0) {
      work(rule);
    } else {
      kernels::UpdateRule<T> own = group_rules[p.group - 1];
      own.gradient = rule.gradient;
      work(own);
    }
  }

  kernels::UpdateArgs<T> arguments(const Parameter& p, std::int64_t first, const T* g,
                                   std::int64_t size, Entries prefetch = {}) const {
    const std::int64_t at = p.offset + first;
    kernels::UpdateArgs<T> f{.weight = values + at,
                             .gradient = g,
                             .slots = {},
                             .size = size,
                             .l1 = static_cast<T>(p.spec.l1 * gradient_scale),
                             .l2 = static_cast<T>(p.spec.l2 * gradient_scale),
                             .prefetch_offset = prefetch.first - first,
                             .prefetch_size = prefetch.size};
    for (int i = 0; i < kMostOptimizerSlots && slots[i] != nullptr; ++i) f.slots[i] = slots[i] + at;
    return f;
  }
};

/// The factor of a rule that needs whole gradients, from the 2-norms of a parameter's weights and
/// of its direction.
template <class T>
double step_scale(const kernels::UpdateRule<T>& rule, double weight_norm, double direction_norm);

/// `group_rules` has a place for each of parameters.groups(), is written, and is read by the
/// update.
template <class T>
Update<T> make_update(const kernels::KernelTable<T>& kernels, const Optimizer& optimizer,
                      const StepFactors& factors, Parameters<T>& parameters,
                      OptimizerState<T>& state, std::int64_t step,
                      kernels::UpdateRule<T>* group_rules = nullptr);

}  // namespace chainrule::engine
