// SPDX-License-Identifier: Apache-2.0
#include "engine/optimizer/optimizer_state.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "chainrule/config.hpp"

namespace chainrule::engine {

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
  return prepared_for == optimizer ||
         (kind == optimizer.config().kind && names == optimizer.slots());
}

template <class T>
OptimizerState<T> OptimizerState<T>::begun(const Optimizer& optimizer, std::int64_t arena_size) {
  OptimizerState fresh;
  fresh.kind = optimizer.config().kind;
  fresh.names = optimizer.slots();
  for (std::size_t i = 0; i < fresh.names.size(); ++i) fresh.slots.emplace_back(arena_size);
  if (optimizer.kind == Optimizer::Kind::adagrad) {
    std::fill_n(fresh.slots[0].data(), arena_size, static_cast<T>(optimizer.initial_accumulator));
  }
  fresh.prepared_for = optimizer;
  return fresh;
}

template <class T>
void OptimizerState<T>::track(const Optimizer& optimizer, const Parameter* p) {
  if (p && zero_gradient<T>(optimizer, p->spec) == ZeroGradient::skips_if_state_zero) {
    nonzero_state.find(*p, slots);
  } else {
    nonzero_state.forget();
  }
}

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

template <class T>
ZeroGradient zero_gradient(const Optimizer& o, const ParameterSpec& spec) {
  using Kind = Optimizer::Kind;
  if (o.lazy) return ZeroGradient::skips;
  if (spec.l1 != 0.0 || spec.l2 != 0.0 || o.weight_decay != 0.0) return ZeroGradient::updates;
  // The others divide by it; what is less is flushed to zero, and zero by zero is NaN.
  const bool divides = o.kind != Kind::sgd && o.kind != Kind::lion;
  if (divides && o.epsilon < double{std::numeric_limits<T>::min()}) return ZeroGradient::updates;
  if (o.kind == Kind::adagrad || (o.kind == Kind::sgd && o.momentum == 0.0))
    return ZeroGradient::skips;
  return ZeroGradient::skips_if_state_zero;
}

template struct OptimizerState<float>;
template struct OptimizerState<double>;
template ZeroGradient zero_gradient<float>(const Optimizer&, const ParameterSpec&);
template ZeroGradient zero_gradient<double>(const Optimizer&, const ParameterSpec&);

}  // namespace chainrule::engine
