// SPDX-License-Identifier: Apache-2.0
// One step from gradients that are kept. It is made as a whole or not at all.
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "chainrule/error.hpp"
#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"
#include "engine/optimizer/update.hpp"
#include "engine/threads/team.hpp"

namespace chainrule {

using engine::ThreadContext;

// The gradients are those that `backward` or `set_gradients` left, an arena of the layout of the
// weights.
template <class T>
void Network<T>::step(const Optimizer& optimizer, double learning_rate) {
  State& s = *state_;
  const engine::Changing guard(s);
  if (!s.gradients.valid)
    throw StateError("there are no gradients to step with: call backward first");
  optimizer.check();
  if (optimizer.lazy) {
    throw Error(
        "an optimizer with lazy=True cannot step by hand, which does not tell the zeros of x: "
        "train in batches");
  }
  const double rate = learning_rate != 0.0 ? learning_rate : optimizer.learning_rate();
  engine::check_learning_rate(rate);
  const auto& kernels = kernels::active<T>();
  const bool goes_on = s.optimizer.goes_on(optimizer);
  std::vector<kernels::UpdateRule<T>> group_rules(s.parameters.groups().size());
  engine::Update<T> update;
  const auto make_update = [&] {
    update = engine::make_update(kernels, optimizer, rate, s.parameters, s.optimizer,
                                 s.optimizer.steps + 1, group_rules.data());
  };
  if (goes_on) make_update();
  // Where no number can leave the range of T, nothing has to be kept.
  const bool safe = goes_on && s.is_safe_step(update.rule, group_rules);
  if (!safe) s.keep_for_step();
  s.optimizer.prepare(optimizer, s.parameters.arena_size());
  if (!goes_on) make_update();
  engine::run_team(1, [&](engine::Team team) {
    ThreadContext context(team);
    s.gradients.update->run(context, update, s.gradients.values.data(), optimizer.clip_norm);
  });
  if (!safe) s.check_step();
  ++s.optimizer.steps;
  ++s.total_steps;
  s.backprop.forward_step.reset();
}

// Moves the bounds on by the rule's own formulas; true where they stay inside the range of T, so
// that the step cannot make a number that is not finite and no copy is needed.
template <class T>
bool Network<T>::State::is_safe_step(const kernels::UpdateRule<T>& rule,
                                     std::span<const kernels::UpdateRule<T>> group_rules) {
  if (!backprop.step_bounds.known()) return false;
  const auto& table = kernels::active<T>();
  return backprop.step_bounds.step(
      rule, penalties(), engine::norm_of(table, gradients.values.data(), gradients.values.size()),
      group_rules);
}

// The largest of all arrays, since bounds are those of the largest weight.
template <class T>
engine::Penalties Network<T>::State::penalties() const {
  engine::Penalties largest;
  for (const engine::Parameter& p : parameters.list()) {
    largest.l1 = std::max(largest.l1, p.spec.l1);
    largest.l2 = std::max(largest.l2, p.spec.l2);
  }
  return largest;
}

// Keeps weights and optimizer state before a step that may leave the range of T, in memory that is
// there from the second time on.
template <class T>
void Network<T>::State::keep_for_step() {
  forget_older();  // whose memory is used
  if (training.older.values.empty())
    training.older.values = engine::Buffer<T>(parameters.arena_size());
  training.older.values.copy_from(parameters.values);
  training.older.optimizer.copy_from(optimizer);
}

// After a step that was not safe: looks at the numbers, and puts the copy back if one is bad.
template <class T>
void Network<T>::State::check_step() {
  backprop.step_bounds.look(kernels::active<T>(), parameters, optimizer);
  if (backprop.step_bounds.known()) return;
  // Squares may be out of range where the numbers are not.
  const engine::Parameter* bad = engine::first_not_finite(parameters, optimizer);
  if (bad == nullptr) return;
  parameters.values.copy_from(training.older.values);
  std::swap(optimizer, training.older.optimizer);
  const std::string layer = std::to_string(bad->layer) + " (" +
                            std::string(layers[static_cast<std::size_t>(bad->layer)]->kind()) + ")";
  throw DivergenceError("the step would make parameters of layer " + layer +
                            " NaN or infinite, and was not made: everything is as it was. Try a "
                            "smaller learning rate or clip_norm",
                        epochs + 1, total_steps + 1, layer,
                        std::numeric_limits<double>::quiet_NaN());
}

#define CHAINRULE_MEMBERS(T)                                                              \
  template void Network<T>::step(const Optimizer&, double);                               \
  template bool Network<T>::State::is_safe_step(const kernels::UpdateRule<T>&,            \
                                                std::span<const kernels::UpdateRule<T>>); \
  template engine::Penalties Network<T>::State::penalties() const;                        \
  template void Network<T>::State::keep_for_step();                                       \
  template void Network<T>::State::check_step();
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule
