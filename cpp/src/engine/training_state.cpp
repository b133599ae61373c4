// SPDX-License-Identifier: Apache-2.0
// What training leaves behind for files: the optimizer's memory, and counters.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "chainrule/error.hpp"
#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"

namespace chainrule {

// Back to the beginning of the epoch, or of the one before. It runs where an exception is on its
// way, and in a forked child, so it must not fail.
template <class T>
void Network<T>::State::restore_after_divergence() noexcept {
  parameters.values.copy_from(training.kept.values);
  // Not a copy, for which there may be no memory.
  std::swap(optimizer, training.kept.optimizer);
  total_steps = training.kept.total_steps;
  training.kept_epoch = -1;
  training.kept_trained = false;
  backprop.step_bounds.forget();
  training.under_way.store(false, std::memory_order_release);
}

template <class T>
void Network<T>::State::put_statistics(engine::Buffer<T>& arena) const noexcept {
  parameters.for_each_statistic([&](std::int64_t at, std::int64_t count, std::int64_t place) {
    std::copy_n(training.statistics.data() + place, count, arena.data() + at);
  });
}

template <class T>
void Network<T>::State::undo_passes() noexcept {
  put_statistics(parameters.values);
  if (training.replaced) std::swap(optimizer, training.spare);
  training.replaced = false;
  training.spare = {};
  training.passing.store(false, std::memory_order_release);
}

// In a child that was forked in the middle of a change: the threads that made it are not there.
template <class T>
void Network<T>::State::recover() {
  training.recover();
  backprop.recover();
  gradients.valid = false;
  if (training.under_way) restore_after_divergence();
  if (training.passing) undo_passes();
  training.kept_epoch = -1;
  forget_older();
}

template <class T>
std::string Network<T>::optimizer_kind() const {
  const engine::Reading guard(*state_);
  return state_->optimizer.kind;
}

template <class T>
std::vector<std::string> Network<T>::optimizer_slots() const {
  const engine::Reading guard(*state_);
  return state_->optimizer.names;
}

namespace {

template <class T>
engine::Buffer<T>& slot_named(engine::OptimizerState<T>& state, const std::string& name) {
  for (std::size_t i = 0; i < state.names.size(); ++i) {
    if (state.names[i] == name) return state.slots[i];
  }
  throw Error("the optimizer keeps no array '" + name + "'");
}

}  // namespace

// values: the shape of the parameter, row-major; the slot itself lies in panels, as the weights do.
template <class T>
void Network<T>::get_slot(const std::string& slot, const std::string& parameter, T* values) const {
  const engine::Reading guard(*state_);
  state_->parameters.unpack(state_->parameters.named(parameter),
                            slot_named(state_->optimizer, slot).data(), values);
}

// The same the other way round.
template <class T>
void Network<T>::set_slot(const std::string& slot, const std::string& parameter, const T* values) {
  const engine::Changing guard(*state_);
  const engine::Parameter& p = state_->parameters.named(parameter);
  engine::Buffer<T>& arena = slot_named(state_->optimizer, slot);
  // All values are checked before the first is set. The root of a negative mean of squares is NaN.
  const bool squares = Optimizer::keeps_squares(slot);
  for (std::int64_t i = 0; i < p.spec.shape.size(); ++i) {
    if (std::isnan(values[i]) || (squares && values[i] < T(0)))
      throw Error(std::string("the values for optimizer.")
                      .append(slot)
                      .append(".")
                      .append(parameter)
                      .append(squares ? " contain NaN or are negative" : " contain NaN"));
  }
  state_->parameters.pack(p, values, arena.data());
  // Both were derived from the old values.
  state_->optimizer.nonzero_state.forget();
  state_->backprop.step_bounds.forget();
}

template <class T>
std::int64_t Network<T>::steps() const {
  const engine::Reading guard(*state_);
  return state_->optimizer.steps;
}

template <class T>
std::int64_t Network<T>::epochs() const {
  const engine::Reading guard(*state_);
  return state_->epochs;
}

template <class T>
std::int64_t Network<T>::total_steps() const {
  const engine::Reading guard(*state_);
  return state_->total_steps;
}

// For a network that is read from a file; its slots follow by set_slot.
template <class T>
void Network<T>::restore_training(const Optimizer& optimizer, std::int64_t steps,
                                  std::int64_t total_steps, std::int64_t epochs) {
  const engine::Changing guard(*state_);
  if (steps < 0 || total_steps < steps || epochs < 0)
    throw Error("training counters must not be negative");
  engine::OptimizerState<T> fresh;
  fresh.prepare(optimizer, state_->parameters.arena_size());
  fresh.steps = steps;
  state_->optimizer = std::move(fresh);
  state_->total_steps = total_steps;
  state_->epochs = epochs;
  state_->training.kept_epoch = -1;
  state_->forget_older();
}

// The next step begins with new slots and counts from 1.
template <class T>
void Network<T>::reset_optimizer() {
  const engine::Changing guard(*state_);
  state_->optimizer = {};
}

#define CHAINRULE_MEMBERS(T)                                                               \
  template void Network<T>::State::put_statistics(engine::Buffer<T>&) const noexcept;      \
  template void Network<T>::State::undo_passes() noexcept;                                 \
  template void Network<T>::State::restore_after_divergence() noexcept;                    \
  template void Network<T>::State::recover();                                              \
  template std::string Network<T>::optimizer_kind() const;                                 \
  template std::vector<std::string> Network<T>::optimizer_slots() const;                   \
  template void Network<T>::get_slot(const std::string&, const std::string&, T*) const;    \
  template void Network<T>::set_slot(const std::string&, const std::string&, const T*);    \
  template std::int64_t Network<T>::steps() const;                                         \
  template std::int64_t Network<T>::epochs() const;                                        \
  template std::int64_t Network<T>::total_steps() const;                                   \
  template void Network<T>::restore_training(const Optimizer&, std::int64_t, std::int64_t, \
                                             std::int64_t);                                \
  template void Network<T>::reset_optimizer();
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule
