// SPDX-License-Identifier: Apache-2.0
#include "engine/optimizer/optimizer_state.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "model/optimizer_options.hpp"

namespace chainrule::engine {
namespace {

/// The least number that a step divides by, where it divides at all.
double least_divisor(const Optimizer& optimizer) {
  double least = std::numeric_limits<double>::infinity();
  model::with_options(optimizer, [&](const auto& options) {
    if constexpr (requires { options.epsilon; }) least = options.epsilon;
  });
  return least;
}

}  // namespace

// Slots of another optimizer are made anew, arena by arena, before the old ones go.
template <class T>
void OptimizerState<T>::prepare(const Optimizer& optimizer, std::int64_t arena_size,
                                const Parameter* tracked) {
  if (!goes_on(optimizer)) {
    OptimizerState fresh = begun(optimizer, arena_size);
    fresh.track(optimizer, tracked);
    *this = std::move(fresh);
    return;
  }
  track(optimizer, tracked);
  prepared_for = optimizer;
}

template <class T>
bool OptimizerState<T>::goes_on(const Optimizer& optimizer) const {
  return prepared_for == optimizer || (kind == optimizer.row().name && names == optimizer.slots());
}

// slots: one arena each of arena_size numbers, at the rule's first value
template <class T>
OptimizerState<T> OptimizerState<T>::begun(const Optimizer& optimizer, std::int64_t arena_size) {
  OptimizerState fresh;
  fresh.kind = optimizer.row().name;
  model::for_each_slot(optimizer, [&](const OptimizerSlot& slot) {
    fresh.names.emplace_back(slot.name);
    fresh.slots.emplace_back(arena_size);
    if (slot.initial != 0.0)
      std::fill_n(fresh.slots.back().data(), arena_size, static_cast<T>(slot.initial));
  });
  fresh.prepared_for = optimizer;
  return fresh;
}

// Rows of p may be left out later, so which of them have a state is found out now.
template <class T>
void OptimizerState<T>::track(const Optimizer& optimizer, const Parameter* p) {
  if (p && zero_gradient<T>(optimizer, p->spec) == ZeroGradient::skips_if_state_zero) {
    nonzero_state.find(*p, slots);
  } else {
    nonzero_state.forget();
  }
}

// Into the memory that there is, where it is that of the same optimizer.
template <class T>
void OptimizerState<T>::copy_from(const OptimizerState& other) {
  if (kind != other.kind || names != other.names) {
    OptimizerState copy(other);
    *this = std::move(copy);
    return;
  }
  for (std::size_t i = 0; i < slots.size(); ++i) slots[i].copy_from(other.slots[i]);
  steps = other.steps;
  prepared_for = other.prepared_for;
  nonzero_state.copy_from(other.nonzero_state);
}

// Whether a gradient of zeros moves a weight: by decay or a penalty always, by the rule only with a
// state that is not zero. The table of optimizers says what each rule does.
template <class T>
ZeroGradient zero_gradient(const Optimizer& optimizer, const ParameterSpec& spec) {
  if (optimizer.lazy) return ZeroGradient::skips;
  if (spec.l1 != 0.0 || spec.l2 != 0.0 ||
      optimizer.weight_decay() * spec.weight_decay_factor != 0.0)
    return ZeroGradient::updates;
  // What is less is flushed to zero, and zero by zero is NaN.
  if (least_divisor(optimizer) < double{std::numeric_limits<T>::min()})
    return ZeroGradient::updates;
  // Called in every step, so nothing may be allocated.
  bool keeps_slots = false;
  model::for_each_slot(optimizer, [&](const OptimizerSlot&) { keeps_slots = true; });
  return keeps_slots ? optimizer.row().zero_gradient : ZeroGradient::skips;
}

template struct OptimizerState<float>;
template struct OptimizerState<double>;
template ZeroGradient zero_gradient<float>(const Optimizer&, const ParameterSpec&);
template ZeroGradient zero_gradient<double>(const Optimizer&, const ParameterSpec&);

}  // namespace chainrule::engine
