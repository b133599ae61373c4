// SPDX-License-Identifier: Apache-2.0
#include "engine/optimizer/update.hpp"

#include <cmath>
#include <string>

#include "chainrule/error.hpp"
#include "model/deterministic_math.hpp"

namespace chainrule::engine {

static_assert(static_cast<int>(Optimizer::Kind::lion) ==
              static_cast<int>(kernels::OptimizerKind::lion));

void check_learning_rate(double rate) {
  if (!std::isfinite(rate) || rate < 0.0)
    throw Error("the learning rate must be finite and >= 0, got " + std::to_string(rate));
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
  u.nonzero_state = &state.nonzero_state;
  return u;
}

template kernels::UpdateRule<float> make_rule(const Optimizer&, double, std::int64_t);
template kernels::UpdateRule<double> make_rule(const Optimizer&, double, std::int64_t);
template Update<float> make_update(const kernels::KernelTable<float>&, const Optimizer&, double,
                                   Parameters<float>&, OptimizerState<float>&, std::int64_t);
template Update<double> make_update(const kernels::KernelTable<double>&, const Optimizer&, double,
                                    Parameters<double>&, OptimizerState<double>&, std::int64_t);

}  // namespace chainrule::engine
