// SPDX-License-Identifier: Apache-2.0
#include "engine/optimizer_state.hpp"

#include <cmath>
#include <limits>
#include <utility>

#include "chainrule/config.hpp"
#include "model/elementary.hpp"

namespace chainrule::engine {

static_assert(static_cast<int>(Optimizer::Kind::lion) ==
              static_cast<int>(kernels::OptimizerKind::lion));

template <class T>
void OptimizerState<T>::prepare(const Optimizer& optimizer, std::int64_t arena_size,
                                const Parameter* tracked) {
  if (prepared_for != optimizer && !goes_on(optimizer)) {
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
  return kind == optimizer.config().kind && names == optimizer.slots();
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
  if (p && without_gradient<T>(optimizer, p->spec) == WithoutGradient::rests_untouched) {
    touched.find(*p, slots);
  } else {
    touched.forget();
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
  touched.copy_from(other.touched);
}

template <class T>
WithoutGradient without_gradient(const Optimizer& o, const ParameterSpec& spec) {
  using Kind = Optimizer::Kind;
  if (o.lazy) return WithoutGradient::rests;
  if (spec.l1 != 0.0 || spec.l2 != 0.0 || o.weight_decay != 0.0) return WithoutGradient::moves;
  // The others divide by it; what is less is flushed to zero, and zero by zero is NaN.
  const bool divides = o.kind != Kind::sgd && o.kind != Kind::lion;
  if (divides && o.epsilon < double{std::numeric_limits<T>::min()}) return WithoutGradient::moves;
  if (o.kind == Kind::adagrad || (o.kind == Kind::sgd && o.momentum == 0.0))
    return WithoutGradient::rests;
  return WithoutGradient::rests_untouched;
}

template <class T>
kernels::UpdateRule<T> make_rule(const Optimizer& o, double learning_rate, std::int64_t step) {
  const auto t = static_cast<double>(step);
  kernels::UpdateRule<T> r{};
  r.kind = static_cast<kernels::OptimizerKind>(o.kind);
  r.nesterov = o.nesterov;
  r.centered = o.centered;
  r.amsgrad = o.amsgrad;
  r.has_momentum = o.momentum != 0.0;
  r.first_step = step == 1;
  r.learning_rate = static_cast<T>(learning_rate);
  r.momentum = static_cast<T>(o.momentum);
  r.one_minus_dampening = static_cast<T>(1.0 - o.dampening);
  r.beta1 = static_cast<T>(o.beta1);
  r.one_minus_beta1 = static_cast<T>(1.0 - o.beta1);
  r.beta2 = static_cast<T>(o.beta2);
  r.one_minus_beta2 = static_cast<T>(1.0 - o.beta2);
  r.rho = static_cast<T>(o.rho);
  r.one_minus_rho = static_cast<T>(1.0 - o.rho);
  r.epsilon = static_cast<T>(o.epsilon);
  r.weight_decay = static_cast<T>(o.weight_decay);
  r.decay_factor = static_cast<T>(1.0 - learning_rate * o.weight_decay);
  if (o.kind == Optimizer::Kind::adagrad) {
    r.step_size = static_cast<T>(learning_rate / (1.0 + (t - 1.0) * o.lr_decay));
  } else {
    r.step_size = static_cast<T>(learning_rate / (1.0 - model::power(o.beta1, t)));
  }
  r.inverse_root_correction = static_cast<T>(1.0 / std::sqrt(1.0 - model::power(o.beta2, t)));
  r.clip_value = static_cast<T>(o.clip_value);
  r.gradient_factor = T(1);
  return r;
}

template <class T>
Update<T> make_update(const kernels::KernelTable<T>& kernels, const Optimizer& optimizer,
                      double learning_rate, Parameters<T>& parameters, OptimizerState<T>& state,
                      std::int64_t step) {
  Update<T> u;
  u.kernels = &kernels;
  u.optimizer = &optimizer;
  u.rule = make_rule<T>(optimizer, learning_rate, step);
  u.values = parameters.values.data();
  for (std::size_t i = 0; i < 3; ++i) u.slots[i] = state.slot(i);
  u.touched = &state.touched;
  return u;
}

template struct OptimizerState<float>;
template struct OptimizerState<double>;
template WithoutGradient without_gradient<float>(const Optimizer&, const ParameterSpec&);
template WithoutGradient without_gradient<double>(const Optimizer&, const ParameterSpec&);
template kernels::UpdateRule<float> make_rule(const Optimizer&, double, std::int64_t);
template kernels::UpdateRule<double> make_rule(const Optimizer&, double, std::int64_t);
template Update<float> make_update(const kernels::KernelTable<float>&, const Optimizer&, double,
                                   Parameters<float>&, OptimizerState<float>&, std::int64_t);
template Update<double> make_update(const kernels::KernelTable<double>&, const Optimizer&, double,
                                    Parameters<double>&, OptimizerState<double>&, std::int64_t);

}  // namespace chainrule::engine
