// SPDX-License-Identifier: Apache-2.0
#include "chainrule/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <thread>

#include "chainrule/error.hpp"
#include "engine/input/target_values.hpp"
#include "engine/training_loop.hpp"

namespace chainrule {

// The lists are made before anything changes, and swapped in.
template <class T>
void Trainer<T>::State::set_losses(const Losses& losses) {
  if (within_epoch) throw StateError("the losses cannot be set within an epoch");
  network->check_loss(losses);
  std::vector<Loss> list;
  std::vector<double> their_weights;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    list.push_back(losses[i]);
    their_weights.push_back(losses.weight(i));
  }
  each_loss.swap(list);
  weights.swap(their_weights);
}

// A schedule that is another one begins at the present step; the same one goes on, and a plateau
// with what it has seen.
template <class T>
void Trainer<T>::State::set_optimizer(const Optimizer& given,
                                      const std::optional<Schedule>& given_schedule) {
  given.check();
  if (given_schedule) given_schedule->check();
  const auto& decay = given.weight_decay_schedule;
  const bool begins = (given_schedule && schedule != given_schedule) ||
                      (decay && decay != optimizer.weight_decay_schedule);
  if (begins) origin = network->total_steps();
  optimizer = given;
  was_set = true;
  if (schedule == given_schedule) return;
  schedule = given_schedule;
  plateau.reset();
  if (schedule && schedule->kind == Schedule::Kind::reduce_on_plateau) plateau.emplace(*schedule);
  begin_plateau();
}

template <class T>
void Trainer<T>::State::begin_plateau() {
  constexpr double worst = std::numeric_limits<double>::infinity();
  if (plateau && std::isinf(plateau->best)) plateau->best = rises ? -worst : worst;
}

namespace {

/// `ask`: also from within a call of `run` on the same thread.
enum class Access { run, ask };

/// Holds a trainer for one call.
template <class State>
class ExclusiveUse {
 public:
  explicit ExclusiveUse(State& state, Access access = Access::run)
      : state_(state),
        holds_(access == Access::run ||
               state.user.load(std::memory_order_relaxed) != std::this_thread::get_id()) {
    if (!holds_) return;
    process_ = state.occupancy.begin_changing([&state] { state.recover(); });
    state.user.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  ~ExclusiveUse() {
    if (!holds_) return;
    state_.user.store(std::thread::id(), std::memory_order_relaxed);
    state_.occupancy.end_changing(process_);
  }
  ExclusiveUse(const ExclusiveUse&) = delete;
  ExclusiveUse& operator=(const ExclusiveUse&) = delete;

 private:
  State& state_;
  const bool holds_;
  std::uint64_t process_ = 0;
};

}  // namespace

template <class T>
Trainer<T>::Trainer(Network<T>& network, const Losses& losses, const Optimizer& optimizer,
                    const std::optional<Schedule>& schedule)
    : state_(new State(&network, losses, optimizer, schedule)) {}

template <class T>
Trainer<T>::Trainer(Trainer&&) noexcept = default;
template <class T>
Trainer<T>& Trainer<T>::operator=(Trainer&&) noexcept = default;
template <class T>
Trainer<T>::~Trainer() = default;

template <class T>
Network<T>& Trainer<T>::network() const {
  return *state_->network;
}

template <class T>
Losses Trainer<T>::losses() const {
  return state_->losses();
}

template <class T>
const Optimizer& Trainer<T>::optimizer() const {
  return state_->optimizer;
}

template <class T>
void Trainer<T>::set_losses(const Losses& losses) {
  const ExclusiveUse guard(*state_, Access::ask);
  state_->set_losses(losses);
}

// A callback of fit may call it too, between two batches.
template <class T>
void Trainer<T>::set_optimizer(const Optimizer& optimizer,
                               const std::optional<Schedule>& schedule) {
  const ExclusiveUse guard(*state_, Access::ask);
  (void)
      state_->network->total_steps();  // throws within a batch, whose threads read the present one
  state_->set_optimizer(optimizer, schedule);
}

// x: rows x inputs, y: rows. The trainer is held throughout, the network only for each part of an
// epoch, so that callbacks may use it.
template <class T>
std::vector<EpochReport> Trainer<T>::fit(const Inputs& x, const Targets& y,
                                         const FitOptions& options) {
  State& s = *state_;
  const ExclusiveUse guard(s);
  const engine::Occupancy::CallingBack within(s.occupancy);
  s.check(x, y, options);
  return typename State::Loop(s, x, y, options).run();
}

template <class T>
EarlyStoppingMemory Trainer<T>::early_stopping() const {
  const ExclusiveUse guard(*state_, Access::ask);
  return state_->memory;
}

// x, y: one batch of all their rows, in their order; the loss before the step.
template <class T>
double Trainer<T>::step(const Inputs& x, const Targets& y) {
  State& s = *state_;
  const ExclusiveUse guard(s);
  const double rate = s.rate(s.network->total_steps(), 1);
  for (std::size_t i = 0; i < y.size() && i < s.each_loss.size(); ++i)
    engine::check_target_values(y[i], s.each_loss[i], "y", {}, s.positions(i));
  EpochOptions o;
  o.batch_size = std::max<std::int64_t>(1, x.rows());
  o.shuffle = false;
  o.whole_epoch = false;
  o.learning_rates = &rate;
  o.schedule_origin = s.origin;
  try {
    return s.network->run_epoch(x, y, s.losses(), s.optimizer, o).loss;
  } catch (const DivergenceError&) {
    // Looking for the cause only now spares every other step a pass over its rows.
    for (std::size_t i = 0; i < x.size(); ++i)
      check_finite<T>(x[i], "x", {}, s.network->missing_columns(i));
    for (const TargetsView& output : y) check_finite<T>(output, "y");
    throw;
  }
}

// The mean loss of all rows, by the trainer's losses.
template <class T>
double Trainer<T>::evaluate(const Inputs& x, const Targets& y, int num_threads) {
  const ExclusiveUse guard(*state_);
  state_->check_data(x, y, "x", "y");
  return state_->network->evaluate(x, y, state_->losses(), State::kEvaluateRows, num_threads,
                                   nullptr);
}

template <class T>
const std::optional<Schedule>& Trainer<T>::schedule() const {
  return state_->schedule;
}

template <class T>
std::optional<Plateau> Trainer<T>::plateau() const {
  const ExclusiveUse guard(*state_, Access::ask);
  return state_->plateau;
}

template <class T>
void Trainer<T>::set_plateau(const Plateau& plateau) {
  const ExclusiveUse guard(*state_, Access::ask);
  if (!state_->plateau) throw Error("the trainer has no reduce_on_plateau schedule");
  state_->plateau = plateau;
  state_->was_set = true;
}

template <class T>
void Trainer<T>::set_monitor(const std::string& monitor, bool rises) {
  const ExclusiveUse guard(*state_, Access::ask);
  state_->monitor = monitor;
  state_->rises = rises;
  state_->begin_plateau();
}

template <class T>
const std::string& Trainer<T>::monitor() const {
  return state_->monitor;
}

template <class T>
bool Trainer<T>::monitor_rises() const {
  return state_->rises;
}

template <class T>
std::int64_t Trainer<T>::schedule_origin() const {
  const ExclusiveUse guard(*state_, Access::ask);
  return state_->origin;
}

template <class T>
void Trainer<T>::set_schedule_origin(std::int64_t step) {
  const ExclusiveUse guard(*state_, Access::ask);
  if (step < 0 || step > state_->network->total_steps())
    throw Error("the schedule's origin must lie in 0.." +
                std::to_string(state_->network->total_steps()) + ", got " + std::to_string(step));
  state_->origin = step;
  state_->was_set = true;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace chainrule
