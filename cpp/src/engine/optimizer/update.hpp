// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "chainrule/optimizer.hpp"
#include "engine/optimizer/optimizer_state.hpp"
#include "engine/parameters.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// The numbers of step `step` (counted from 1), worked out in double.
template <class T>
kernels::UpdateRule<T> make_rule(const Optimizer& optimizer, double learning_rate,
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
  T* values = nullptr;
  T* slots[3] = {nullptr, nullptr, nullptr};
  NonzeroStateRows* nonzero_state = nullptr;
  double gradient_scale = 1.0;  // what gradients are given times, a power of two

  /// Updates entries [first, first + size) of parameter p by their gradients g, and prefetches
  /// those of a later call.
  void apply(const Parameter& p, std::int64_t first, const T* g, std::int64_t size,
             Entries prefetch = {}) const {
    const std::int64_t at = p.offset + first;
    kernels->update(
        rule,
        {values + at, g, slots[0] ? slots[0] + at : nullptr, slots[1] ? slots[1] + at : nullptr,
         slots[2] ? slots[2] + at : nullptr, size, static_cast<T>(p.spec.l1 * gradient_scale),
         static_cast<T>(p.spec.l2 * gradient_scale), prefetch.first - first, prefetch.size});
  }
};

template <class T>
Update<T> make_update(const kernels::KernelTable<T>& kernels, const Optimizer& optimizer,
                      double learning_rate, Parameters<T>& parameters, OptimizerState<T>& state,
                      std::int64_t step);

}  // namespace chainrule::engine
