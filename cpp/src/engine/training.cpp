// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <limits>
#include <utility>

#include "chainrule/random.hpp"
#include "engine/input/gather.hpp"
#include "engine/network_state.hpp"
#include "engine/threads/threads.hpp"

namespace chainrule {
namespace {

using engine::Partition;
using engine::Step;
using engine::ThreadContext;

template <class T>
bool all_finite(const engine::Buffer<T>& parameters) {
  // x * 0 is 0 for every finite x and NaN otherwise; the arena is padded to whole granules.
  constexpr std::int64_t lanes = kernels::kRowAlignment<T>;
  const T* values = parameters.data();
  T sums[lanes] = {};
  for (std::int64_t i = 0; i < parameters.size(); i += lanes) {
    for (std::int64_t j = 0; j < lanes; ++j) sums[j] += values[i + j] * T(0);
  }
  return std::all_of(sums, sums + lanes, [](T sum) { return sum == T(0); });
}

constexpr const char* kLazy = "an optimizer with lazy=True";

/// The path that the input takes; throws Error where that of a lazy optimizer is not allowed.
InputSparsity path_of(const Optimizer& optimizer, InputSparsity given) {
  if (!optimizer.lazy) return given;
  if (given == InputSparsity::dense)
    throw Error("input_sparsity=\"dense\" does not go with " + std::string(kLazy) +
                ", which must know the zeros of x: use \"auto\" or \"sparse\"");
  return InputSparsity::sparse;
}

/// Lets the caller's poll run every so often: often enough for Ctrl-C and a progress bar, too
/// seldom to cost anything. Epochs may be shorter than that, so `last` is kept between them.
class Poller {
 public:
  using Clock = std::chrono::steady_clock;

  Poller(const EpochOptions& options, const engine::Occupancy& occupancy, Clock::time_point& last)
      : options_(options), occupancy_(occupancy), last_(last) {
    if (last_ == Clock::time_point()) last_ = Clock::now();
  }

  bool due(Clock::time_point now) const {
    return options_.poll && now - last_ >= std::chrono::milliseconds(50);
  }

  bool stop(std::int64_t batches, double loss) {
    bool answer = true;
    const engine::Occupancy::CallingBack within(occupancy_);
    try {
      answer = options_.poll(batches, loss);
    } catch (...) {
      error_ = std::current_exception();  // it must not leave the team
    }
    last_ = Clock::now();
    return answer;
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const EpochOptions& options_;
  const engine::Occupancy& occupancy_;
  Clock::time_point& last_;
  std::exception_ptr error_;
};

}  // namespace

template <class T>
void Network<T>::State::need_gradients() {
  if (gradients.empty()) gradients = engine::Buffer<T>(parameters.arena_size());
  if (!stored_update)
    stored_update =
        std::make_unique<engine::StoredUpdate<T>>(kernels::table<T>(kernels::active()), parameters);
}

template <class T>
EpochResult Network<T>::run_epoch(const RowsView& x, const TargetsView& y, const Loss& loss,
                                  const Optimizer& optimizer, const EpochOptions& options) {
  State& s = *state_;
  const engine::Changing guard(s);
  s.check_targets(x, y, loss);
  if (options.batch_size < 1)
    throw Error("batch_size must be >= 1, got " + std::to_string(options.batch_size));
  const std::int64_t batch_size = std::min(options.batch_size, x.rows);
  s.check_batch(batch_size);
  const std::int64_t all = (x.rows + batch_size - 1) / batch_size;
  const std::int64_t first_batch = options.first_batch;
  if (first_batch < 0 || first_batch >= all) {
    throw Error("first_batch must lie in 0.." + std::to_string(all - 1) + ", got " +
                std::to_string(first_batch));
  }
  const std::int64_t left = all - first_batch;
  const std::int64_t last_batch =
      first_batch + (options.batches < 0 ? left : std::min(left, options.batches));
  // Pieces of an epoch that has begun have been checked with its first one.
  if (!options.whole_epoch || first_batch == 0) s.check_categories(x);
  T* const outputs = static_cast<T*>(options.outputs);
  State::check_no_overlap(x, "x", outputs, s.outputs);
  if (!y.labels) State::check_no_overlap(y.values, "y", outputs, s.outputs);
  optimizer.check();
  const double fixed_rate =
      options.learning_rate != 0.0 ? options.learning_rate : optimizer.learning_rate;
  const InputSparsity path = path_of(optimizer, options.input_sparsity);
  engine::check_learning_rate(fixed_rate);
  for (std::int64_t b = 0; options.learning_rates && b < all; ++b)
    engine::check_learning_rate(options.learning_rates[b]);

  // Here and not after the last batch, so that what is stopped is never a whole epoch.
  Poller poller(options, s.occupancy, s.last_poll);
  if (poller.due(Poller::Clock::now()) && poller.stop(first_batch, s.epoch_losses.mean())) {
    poller.rethrow();
    EpochResult none;
    none.stopped = true;
    return none;
  }

  engine::PlanOptions plan_options;
  plan_options.batch_size = batch_size;
  plan_options.threads = engine::threads_for(s.multiply_adds, batch_size, options.num_threads);
  plan_options.backward = true;
  plan_options.whole_steps = true;
  plan_options.loss = &loss;
  CompiledLoss<T>& compiled = s.compile(s.training, loss, plan_options);
  compiled.stage.prepare(y);
  if (optimizer.lazy) compiled.plan.input().check_takes_sparse(kLazy);
  try {
    compiled.plan.choose_path(x, path);
  } catch (...) {
    // Rows that were changed since the epoch's first piece.
    if (options.whole_epoch && first_batch > 0 && s.kept_epoch == s.epochs)
      s.restore_after_divergence();
    throw;
  }

  // All memory is taken before anything changes.
  const bool stored = optimizer.clip_norm > 0.0;
  if (stored) s.need_gradients();
  if (options.shuffle &&
      (s.order_epoch != s.epochs || static_cast<std::int64_t>(s.order.size()) != x.rows)) {
    s.order_epoch = -1;
    s.order.resize(static_cast<std::size_t>(x.rows));
    shuffled_order(s.order.data(), x.rows, s.seed, static_cast<std::uint64_t>(s.epochs));
    s.order_epoch = s.epochs;
  }
  const std::int64_t* order = options.shuffle ? s.order.data() : nullptr;
  if (!options.whole_epoch || first_batch == 0 || s.kept_epoch != s.epochs) {
    s.keep_for_divergence();
    s.kept_epoch = options.whole_epoch ? s.epochs : -1;
  }
  s.optimizer.prepare(optimizer, s.parameters.arena_size(),
                      stored ? nullptr : compiled.plan.input().sparse_weight());
  s.forward_step.reset();
  s.gradients_valid = false;

  EpochResult result;
  std::atomic<bool> diverged{false};
  std::atomic<bool> stop{false};
  engine::MeanLoss mean;
  const double unit = compiled.stage.weight_unit();
  const bool goes_on = options.whole_epoch && first_batch > 0;
  const LossSum before = options.losses_before.value_or(goes_on ? s.epoch_losses : LossSum{});
  const double ratio = before.unit / unit;  // a power of two, so no bit is lost
  engine::MeanLoss epoch_mean{before.sum * ratio, before.weight * ratio};
  double bad_loss = 0.0;
  std::int64_t bad_rows = 0;

  const kernels::KernelTable<T>& kernels = kernels::table<T>(kernels::active());
  using Clock = engine::CoreShortage::Clock;
  std::int64_t next_batch = first_batch;
  // Decided before all threads meet, for what they do behind that.
  std::atomic<bool> pause{false};
  std::atomic<bool> poll{false};
  const auto piece = [&](engine::Team team) {
    ThreadContext context(team);
    const Clock::time_point end = Clock::now() + engine::CoreShortage::piece_length;
    for (std::int64_t b = next_batch; b < last_batch; ++b) {
      const std::int64_t first = b * batch_size;
      const std::int64_t done = b - first_batch;
      Step<T> step;
      step.rows = std::min(batch_size, x.rows - first);
      step.training = true;
      step.seed = s.seed;
      step.number = static_cast<std::uint64_t>(s.total_steps + done);
      engine::Update<T> update = engine::make_update(
          kernels, optimizer, options.learning_rates ? options.learning_rates[b] : fixed_rate,
          s.parameters, s.optimizer, s.optimizer.steps + done + 1);

      const engine::RowOrder batch_order{order, first};
      compiled.plan.input().load(context, step, x, batch_order);
      compiled.plan.forward(context, step);
      const engine::Range rows = step.rows_of(context.slice());
      compiled.stage.run(step, context.slice(), y, batch_order, compiled.plan.result(),
                         compiled.plan.result_gradient());
      if (!compiled.stage.finite(rows)) diverged.store(true, std::memory_order_relaxed);
      if (outputs) copy_rows(compiled.plan.result(), rows, batch_order, outputs);
      compiled.plan.backward(context, step);

      if (context.first_thread()) {
        const Clock::time_point now = Clock::now();
        pause.store(now >= end, std::memory_order_relaxed);
        poll.store(b + 1 < last_batch && poller.due(now), std::memory_order_relaxed);
      }
      context.sync_for(Partition::columns);
      const bool pauses = pause.load(std::memory_order_relaxed);
      const bool polls = poll.load(std::memory_order_relaxed);
      if (context.first_thread()) {
        const engine::MeanLoss batch = compiled.stage.mean(step.rows);
        if (diverged.load(std::memory_order_relaxed)) {
          bad_loss = batch.sum;
          bad_rows = step.rows;
        } else {
          mean.add(batch);
          epoch_mean.add(batch);
          ++result.batches;
          if (polls && poller.stop(b + 1, epoch_mean.value()))
            stop.store(true, std::memory_order_relaxed);
        }
      }
      if (diverged.load(std::memory_order_relaxed)) break;
      const std::int64_t next_rows = std::min(batch_size, x.rows - first - step.rows);
      kernels::PrefetchCursor cursor =
          engine::prefetch_cursor(x, batch_order.after(step.rows),
                                  compiled.plan.input().loaded_rows(x, next_rows, context.slice()));
      step.cursor = &cursor;
      if (stored) {
        step.gradients = s.gradients.data();
        compiled.plan.gradients(context, step);
        s.stored_update->run(context, update, s.gradients.data(), optimizer.clip_norm);
      } else {
        step.update = &update;
        compiled.plan.gradients(context, step);
      }
      if (polls) context.sync_for(Partition::columns);
      if (pauses || (polls && stop.load(std::memory_order_relaxed))) break;
    }
  };

  s.epoch_under_way.store(true);
  s.step_bounds.forget();
  // Between pieces the team may change its size, which no result depends on.
  while (next_batch < last_batch && !stop.load() && !diverged.load()) {
    engine::run_piece(plan_options.threads, piece);
    next_batch = first_batch + result.batches;
  }

  try {
    compiled.plan.input().check_unchanged();
  } catch (...) {
    s.restore_after_divergence();
    throw;
  }
  if (diverged.load()) {
    s.report_divergence(compiled.plan, x, bad_rows, s.epochs + 1, first_batch + result.batches + 1,
                        bad_loss);
  }
  s.optimizer.steps += result.batches;
  s.total_steps += result.batches;
  s.epoch_under_way.store(false, std::memory_order_release);
  result.stopped = stop.load();
  result.weight = mean.weight * unit;
  result.loss = mean.value();
  result.epoch_loss = epoch_mean.value();
  result.epoch_losses = {epoch_mean.sum, epoch_mean.weight, unit};
  if (options.whole_epoch) s.epoch_losses = result.epoch_losses;
  // Of losses that are each finite the mean is, but for float64 at the end of its range.
  if (!std::isfinite(result.loss)) {
    s.report_divergence(compiled.plan, x, 0, s.epochs + 1, first_batch + result.batches,
                        result.loss);
  }
  const bool epoch_done = options.whole_epoch && first_batch + result.batches == all;
  // An update may have overflowed after the last loss that could have shown it.
  if ((epoch_done || !options.whole_epoch) && !all_finite(s.parameters.values)) {
    s.report_divergence(compiled.plan, x, 0, s.epochs + 1, first_batch + result.batches,
                        std::numeric_limits<double>::infinity());
  }
  if (epoch_done) ++s.epochs;
  s.kept_trained = s.kept_trained || result.batches > 0;
  poller.rethrow();
  return result;
}

template <class T>
PlanInfo Network<T>::plan(std::int64_t batch_size, int num_threads, const RowsView& x,
                          InputSparsity input_sparsity) const {
  State& s = *state_;
  const engine::Reading guard(s);
  if (batch_size < 1) throw Error("batch_size must be >= 1, got " + std::to_string(batch_size));
  engine::PlanOptions options;
  options.batch_size = batch_size;
  options.threads = engine::threads_for(s.multiply_adds, batch_size, num_threads);
  options.backward = true;
  engine::Plan<T> plan(s.kernels, s.layers, s.parameters, s.inputs, options);
  if (x.rows > 0) {
    s.check_input(x);
    plan.refresh();
    plan.choose_path(x, input_sparsity);
    return plan.describe();
  }
  PlanInfo info = plan.describe();
  const bool in_use = s.training && s.training->plan.batch_size() == batch_size &&
                      s.training->plan.threads() == options.threads;
  if (in_use) info.input = s.training->plan.describe().input;
  return info;
}

template <class T>
void Network<T>::check_trains(const Optimizer& optimizer, InputSparsity input_sparsity,
                              std::int64_t batch_rows) const {
  State& s = *state_;
  path_of(optimizer, input_sparsity);
  s.check_batch(batch_rows);
  if (!optimizer.lazy) return;
  const engine::Reading guard(s);
  const engine::PlanOptions options{.batch_size = 1, .backward = true};
  engine::Plan<T>(s.kernels, s.layers, s.parameters, s.inputs, options)
      .input()
      .check_takes_sparse(kLazy);
}

#define CHAINRULE_INSTANTIATE(T)                                                               \
  template void Network<T>::State::need_gradients();                                           \
  template EpochResult Network<T>::run_epoch(const RowsView&, const TargetsView&, const Loss&, \
                                             const Optimizer&, const EpochOptions&);           \
  template PlanInfo Network<T>::plan(std::int64_t, int, const RowsView&, InputSparsity) const; \
  template void Network<T>::check_trains(const Optimizer&, InputSparsity, std::int64_t) const;

CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)
#undef CHAINRULE_INSTANTIATE

}  // namespace chainrule
