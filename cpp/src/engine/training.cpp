// SPDX-License-Identifier: Apache-2.0
// Training: one epoch, or a part of it, on one team of threads. Each thread does for every batch
//
//   load        its rows of the batch, or a copy of all of them, from the caller's array to x
//   forward     stage by stage, with a barrier where threads no longer own rows
//   loss        of its rows, and their gradient dz
//   backward    from the last stage to the lowest that needs it: dx of its rows
//   barrier     all gradients with respect to tensors are there; the first thread adds up the loss
//   gradients   of the parameters that the thread owns, each piece updated while it is in a cache
//
// and goes on to the next batch.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/all_finite.hpp"
#include "engine/input/gather.hpp"
#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"
#include "engine/poller.hpp"
#include "engine/threads/threads.hpp"

namespace chainrule {
namespace {

using engine::Partition;
using engine::Poller;
using engine::Step;
using engine::ThreadContext;

template <class T>
bool all_finite(const engine::Buffer<T>& parameters) {
  return engine::all_finite<T>(parameters.size(),
                               [&](std::int64_t i) { return parameters.data()[i]; });
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

}  // namespace

/// One call of run_epoch: checks what it is given, takes all memory, runs the batches, and takes
/// over what has come of them or goes back to what there was.
template <class T>
class Network<T>::State::EpochRun {
 public:
  /// Throws Error for arguments that do not fit the network or each other.
  EpochRun(State& state, const RowsView& x, const TargetsView& y, const Loss& loss,
           const Optimizer& optimizer, const EpochOptions& options);

  EpochResult run();

 private:
  using Clock = engine::CoreShortage::Clock;

  void check_batches();
  void check_learning_rates() const;
  void prepare();
  void run_piece(engine::Team team);
  void run_passes(ThreadContext& context, const Step<T>& step, engine::RowOrder order);
  void count_batch(const Step<T>& step, std::int64_t batch, bool polls);
  void update_parameters(ThreadContext& context, Step<T> step, const engine::Update<T>& update,
                         engine::RowOrder order);
  bool is_safe(const ThreadContext& context, const engine::Update<T>& update, std::int64_t rows);
  void keep_weights(ThreadContext& context);
  void finish();
  void finish_bounds();
  void restore_statistics();
  [[noreturn]] void diverge(std::int64_t rows, std::int64_t batch, double loss);

  State& s_;
  TrainingSession<T>& session_;
  const RowsView& x_;
  const TargetsView& y_;
  const Loss& loss_;
  const Optimizer& optimizer_;
  const EpochOptions& options_;
  const kernels::KernelTable<T>& kernels_;
  InputSparsity path_;
  double fixed_rate_;
  T* outputs_;
  bool stored_;  // all of a parameter's gradient must be known before any of it is used
  std::int64_t batch_size_ = 0;
  std::int64_t all_batches_ = 0;
  std::int64_t first_batch_ = 0;
  std::int64_t last_batch_ = 0;
  Poller poller_;

  /// Whether the call is one batch by itself, and whether its step is followed by bounds, so that
  /// weights and optimizer state are kept only where the bounds would leave the range of T.
  bool is_alone_ = false;
  bool follows_bounds_ = false;
  bool weights_kept_ = true;
  engine::Penalties penalties_;
  engine::StepBounds<T> bounds_;        // before the step
  engine::StepBounds<T> bounds_after_;  // behind it

  int threads_ = 1;
  CompiledLoss<T>* compiled_ = nullptr;
  const std::int64_t* order_ = nullptr;  // of all rows; null: as they are

  std::int64_t next_batch_ = 0;  // the first of the next piece
  // Decided before all threads meet, for what they do behind that.
  std::atomic<bool> pause_{false};
  std::atomic<bool> poll_{false};
  std::atomic<bool> diverged_{false};
  std::atomic<bool> stop_{false};

  EpochResult result_;
  engine::MeanLoss mean_;        // of this call
  engine::MeanLoss epoch_mean_;  // of the epoch so far
  double unit_ = 1.0;            // of the weights in both
  double bad_loss_ = 0.0;        // where a batch diverged
  std::int64_t bad_rows_ = 0;
};

template <class T>
Network<T>::State::EpochRun::EpochRun(State& state, const RowsView& x, const TargetsView& y,
                                      const Loss& loss, const Optimizer& optimizer,
                                      const EpochOptions& options)
    : s_(state),
      session_(state.training),
      x_(x),
      y_(y),
      loss_(loss),
      optimizer_(optimizer),
      options_(options),
      kernels_(kernels::table<T>(kernels::active())),
      path_(options.input_sparsity),
      fixed_rate_(options.learning_rate != 0.0 ? options.learning_rate : optimizer.learning_rate()),
      outputs_(static_cast<T*>(options.outputs)),
      stored_(optimizer.clip_norm > 0.0 || optimizer.row().needs_whole_gradient),
      poller_(options, state.occupancy, session_.last_poll) {
  s_.check_targets(x, y, loss);
  check_batches();
  // Pieces of an epoch that has begun have been checked with its first one.
  if (!options.whole_epoch || first_batch_ == 0) s_.check_categories(x);
  State::check_no_overlap(x, "x", outputs_, s_.outputs);
  if (!y.labels) State::check_no_overlap(y.values, "y", outputs_, s_.outputs);
  optimizer.check();
  path_ = path_of(optimizer, options.input_sparsity);
  check_learning_rates();
}

template <class T>
void Network<T>::State::EpochRun::check_batches() {
  if (options_.batch_size < 1)
    throw Error("batch_size must be >= 1, got " + std::to_string(options_.batch_size));
  batch_size_ = std::min(options_.batch_size, x_.rows);
  s_.check_batch(batch_size_);
  all_batches_ = (x_.rows + batch_size_ - 1) / batch_size_;
  first_batch_ = options_.first_batch;
  if (first_batch_ < 0 || first_batch_ >= all_batches_) {
    throw Error("first_batch must lie in 0.." + std::to_string(all_batches_ - 1) + ", got " +
                std::to_string(first_batch_));
  }
  const std::int64_t left = all_batches_ - first_batch_;
  last_batch_ = first_batch_ + (options_.batches < 0 ? left : std::min(left, options_.batches));
  next_batch_ = first_batch_;
  is_alone_ = !options_.whole_epoch && last_batch_ == first_batch_ + 1;
}

template <class T>
void Network<T>::State::EpochRun::check_learning_rates() const {
  engine::check_learning_rate(fixed_rate_);
  for (std::int64_t b = 0; options_.learning_rates && b < all_batches_; ++b)
    engine::check_learning_rate(options_.learning_rates[b]);
}

template <class T>
EpochResult Network<T>::State::EpochRun::run() {
  // Here and not after the last batch, so that what is stopped is never a whole epoch.
  if (poller_.due(Poller::Clock::now()) && poller_.stop(first_batch_, session_.losses.mean())) {
    poller_.rethrow();
    result_.stopped = true;
    return result_;
  }
  prepare();
  session_.under_way.store(weights_kept_);
  // Between pieces the team may change its size, which no result depends on.
  while (next_batch_ < last_batch_ && !stop_.load() && !diverged_.load()) {
    engine::run_piece(threads_, [&](engine::Team team) { run_piece(team); });
    next_batch_ = first_batch_ + result_.batches;
  }
  finish();
  poller_.rethrow();
  return result_;
}

/// Takes all memory before anything changes.
template <class T>
void Network<T>::State::EpochRun::prepare() {
  threads_ = engine::threads_for(s_.multiply_adds, batch_size_, options_.num_threads);
  engine::PlanOptions plan_options;
  plan_options.batch_size = batch_size_;
  plan_options.threads = threads_;
  plan_options.backward = true;
  plan_options.whole_steps = true;
  plan_options.loss = &loss_;
  compiled_ = &s_.compile(session_.compiled, loss_, plan_options);
  compiled_->stage.prepare(y_);
  if (optimizer_.lazy) compiled_->plan.input().check_takes_sparse(kLazy);
  try {
    compiled_->plan.choose_path(x_, path_);
  } catch (...) {
    // Rows that were changed since the epoch's first piece.
    if (options_.whole_epoch && first_batch_ > 0 && session_.kept_epoch == s_.epochs)
      s_.restore_after_divergence();
    throw;
  }
  if (stored_) s_.gradients.make_room(s_.parameters);
  if (options_.shuffle) order_ = session_.shuffled(x_.rows, s_.seed, s_.epochs);
  const auto prepare_optimizer = [&] {
    s_.optimizer.prepare(optimizer_, s_.parameters.arena_size(),
                         stored_ ? nullptr : compiled_->plan.input().sparse_weight());
  };
  const bool goes_on = s_.optimizer.goes_on(optimizer_);
  if (goes_on) prepare_optimizer();
  follows_bounds_ =
      is_alone_ && goes_on && s_.backprop.step_bounds.known() && session_.has_room(s_.optimizer);
  if (is_alone_) s_.keep_statistics();  // always, so that the first steps take the memory
  if (follows_bounds_) {
    session_.kept_epoch = -1;
    weights_kept_ = false;
    penalties_ = s_.penalties();
    bounds_ = s_.backprop.step_bounds;
  } else if (!options_.whole_epoch || first_batch_ == 0 || session_.kept_epoch != s_.epochs) {
    s_.keep_for_divergence();
    session_.kept_epoch = options_.whole_epoch ? s_.epochs : -1;
  }
  s_.backprop.step_bounds.forget();
  if (!goes_on) prepare_optimizer();
  s_.backprop.forward_step.reset();
  s_.gradients.valid = false;
  unit_ = compiled_->stage.weight_unit();
  const bool has_begun = options_.whole_epoch && first_batch_ > 0;
  const LossSum before = options_.losses_before.value_or(has_begun ? session_.losses : LossSum{});
  const double ratio = before.unit / unit_;  // a power of two, so no bit is lost
  epoch_mean_ = {before.sum * ratio, before.weight * ratio};
}

/// What each thread of a team does: the next batches, until it is time for a pause.
template <class T>
void Network<T>::State::EpochRun::run_piece(engine::Team team) {
  ThreadContext context(team);
  const Clock::time_point end = Clock::now() + engine::CoreShortage::piece_length;
  for (std::int64_t b = next_batch_; b < last_batch_; ++b) {
    const engine::RowOrder order{order_, b * batch_size_};
    const std::int64_t done = b - first_batch_;
    Step<T> step;
    step.rows = std::min(batch_size_, x_.rows - order.first);
    step.training = true;
    step.seed = s_.seed;
    step.number = static_cast<std::uint64_t>(s_.total_steps + done);
    const engine::Update<T> update = engine::make_update(
        kernels_, optimizer_, options_.learning_rates ? options_.learning_rates[b] : fixed_rate_,
        s_.parameters, s_.optimizer, s_.optimizer.steps + done + 1);

    run_passes(context, step, order);
    if (context.first_thread()) {
      const Clock::time_point now = Clock::now();
      pause_.store(now >= end, std::memory_order_relaxed);
      poll_.store(b + 1 < last_batch_ && poller_.due(now), std::memory_order_relaxed);
    }
    context.sync_for(Partition::columns);
    const bool pauses = pause_.load(std::memory_order_relaxed);
    const bool polls = poll_.load(std::memory_order_relaxed);
    if (context.first_thread()) count_batch(step, b, polls);
    if (diverged_.load(std::memory_order_relaxed)) break;
    if (follows_bounds_) {
      if (compiled_->plan.input().changed()) break;
      if (!is_safe(context, update, step.rows)) keep_weights(context);
    }
    update_parameters(context, step, update, order);
    if (polls) context.sync_for(Partition::columns);
    if (pauses || (polls && stop_.load(std::memory_order_relaxed))) break;
  }
}

/// Forward pass, loss and backward pass of a batch.
template <class T>
void Network<T>::State::EpochRun::run_passes(ThreadContext& context, const Step<T>& step,
                                             engine::RowOrder order) {
  engine::Plan<T>& plan = compiled_->plan;
  plan.input().load(context, step, x_, order);
  plan.forward(context, step);
  const engine::Range rows = step.rows_of(context.slice());
  compiled_->stage.run(step, context.slice(), y_, order, plan.result(), plan.result_gradient());
  if (!compiled_->stage.finite(rows)) diverged_.store(true, std::memory_order_relaxed);
  if (outputs_) copy_rows(plan.result(), rows, order, outputs_);
  plan.backward(context, step);
}

/// For the first thread, after all have run the passes.
template <class T>
void Network<T>::State::EpochRun::count_batch(const Step<T>& step, std::int64_t batch, bool polls) {
  const engine::MeanLoss loss = compiled_->stage.mean(step.rows);
  if (diverged_.load(std::memory_order_relaxed)) {
    bad_loss_ = loss.sum;
    bad_rows_ = step.rows;
    return;
  }
  mean_.add(loss);
  epoch_mean_.add(loss);
  ++result_.batches;
  if (polls && poller_.stop(batch + 1, epoch_mean_.value()))
    stop_.store(true, std::memory_order_relaxed);
}

/// Whether the step cannot leave the range of T, nor make weights so large that the next forward
/// pass might. Every thread finds the same, so none has to wait for another's answer.
template <class T>
bool Network<T>::State::EpochRun::is_safe(const ThreadContext& context,
                                          const engine::Update<T>& update, std::int64_t rows) {
  engine::StepBounds<T> bounds = bounds_;
  const bool safe = bounds.step(update.rule, penalties_, compiled_->plan.gradient_bound(rows)) &&
                    !bounds.may_have_grown() && s_.statistics_finite() &&
                    std::isfinite(compiled_->stage.mean(rows).value());
  if (context.first_thread()) bounds_after_ = bounds;
  return safe;
}

template <class T>
void Network<T>::State::EpochRun::keep_weights(ThreadContext& context) {
  context.sync_for(Partition::columns);
  if (context.first_thread()) {
    s_.keep_for_divergence();
    s_.put_statistics(session_.kept.values);
    weights_kept_ = true;
    session_.under_way.store(true);
  }
  context.sync_for(Partition::columns);
}

template <class T>
void Network<T>::State::EpochRun::update_parameters(ThreadContext& context, Step<T> step,
                                                    const engine::Update<T>& update,
                                                    engine::RowOrder order) {
  engine::Plan<T>& plan = compiled_->plan;
  const engine::RowOrder next = order.after(step.rows);
  const std::int64_t next_rows = std::min(batch_size_, x_.rows - next.first);
  kernels::PrefetchCursor cursor =
      engine::prefetch_cursor(x_, next, plan.input().loaded_rows(x_, next_rows, context.slice()));
  step.cursor = &cursor;
  if (stored_) {
    step.gradients = s_.gradients.values.data();
    plan.gradients(context, step);
    s_.gradients.update->run(context, update, step.gradients, optimizer_.clip_norm);
  } else {
    step.update = &update;
    plan.gradients(context, step);
  }
}

/// Takes over what the batches have changed, or goes back and throws.
template <class T>
void Network<T>::State::EpochRun::finish() {
  try {
    compiled_->plan.input().check_unchanged();
  } catch (...) {
    weights_kept_ ? s_.restore_after_divergence() : restore_statistics();
    throw;
  }
  const std::int64_t batch = first_batch_ + result_.batches;
  if (diverged_.load()) diverge(bad_rows_, batch + 1, bad_loss_);
  s_.optimizer.steps += result_.batches;
  s_.total_steps += result_.batches;
  session_.under_way.store(false, std::memory_order_release);
  result_.stopped = stop_.load();
  result_.weight = mean_.weight * unit_;
  result_.loss = mean_.value();
  result_.epoch_loss = epoch_mean_.value();
  result_.epoch_losses = {epoch_mean_.sum, epoch_mean_.weight, unit_};
  if (options_.whole_epoch) session_.losses = result_.epoch_losses;
  // The mean of losses that are each finite is finite, but for float64 at the end of its range.
  if (!std::isfinite(result_.loss)) diverge(0, batch, result_.loss);
  const bool epoch_done = options_.whole_epoch && batch == all_batches_;
  // An update may have overflowed after the last loss that could have shown it.
  if (weights_kept_ && (epoch_done || !options_.whole_epoch) && !all_finite(s_.parameters.values))
    diverge(0, batch, std::numeric_limits<double>::infinity());
  if (epoch_done) ++s_.epochs;
  session_.kept_trained = session_.kept_trained || result_.batches > 0;
  if (is_alone_) finish_bounds();
}

template <class T>
void Network<T>::State::EpochRun::finish_bounds() {
  if (weights_kept_) {
    s_.backprop.step_bounds.look(kernels_, s_.parameters, s_.optimizer);
    return;
  }
  s_.backprop.step_bounds = bounds_after_;
  session_.forget_older();  // from which more than one step leads here
}

/// Goes back where the weights have not changed.
template <class T>
void Network<T>::State::EpochRun::restore_statistics() {
  s_.put_statistics(s_.parameters.values);
  s_.backprop.step_bounds = bounds_;
}

template <class T>
void Network<T>::State::EpochRun::diverge(std::int64_t rows, std::int64_t batch, double loss) {
  if (!weights_kept_) restore_statistics();
  s_.report_divergence(compiled_->plan, x_, rows, s_.epochs + 1, batch, loss, weights_kept_);
}

template <class T>
EpochResult Network<T>::run_epoch(const RowsView& x, const TargetsView& y, const Loss& loss,
                                  const Optimizer& optimizer, const EpochOptions& options) {
  const engine::Changing guard(*state_);
  return typename State::EpochRun(*state_, x, y, loss, optimizer, options).run();
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
  const CompiledLoss<T>* last = s.training.compiled.get();
  if (last && last->plan.batch_size() == batch_size && last->plan.threads() == options.threads)
    info.input = last->plan.describe().input;
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

#define CHAINRULE_MEMBERS(T)                                                                   \
  template EpochResult Network<T>::run_epoch(const RowsView&, const TargetsView&, const Loss&, \
                                             const Optimizer&, const EpochOptions&);           \
  template PlanInfo Network<T>::plan(std::int64_t, int, const RowsView&, InputSparsity) const; \
  template void Network<T>::check_trains(const Optimizer&, InputSparsity, std::int64_t) const;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule
