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

#include "engine/epoch_run.hpp"
#include "engine/input/gather.hpp"
#include "engine/instantiate.hpp"
#include "engine/threads/team.hpp"
#include "engine/threads/thread_count.hpp"

namespace chainrule {
namespace {

using engine::Partition;
using engine::Poller;
using engine::Step;
using engine::ThreadContext;

/// Whether two views are of the same memory, read the same way.
bool same_rows(const RowsView& a, const RowsView& b) {
  return a.data == b.data && a.type == b.type && a.rows == b.rows && a.columns == b.columns &&
         a.row_stride == b.row_stride && a.column_stride == b.column_stride &&
         a.offsets == b.offsets && a.indices == b.indices && a.stored == b.stored &&
         a.wide_offsets == b.wide_offsets && a.wide_indices == b.wide_indices;
}

bool same_targets(const TargetsView& a, const TargetsView& b) {
  return a.labels == b.labels && same_rows(a.values, b.values) &&
         a.label_positions == b.label_positions && a.weight_positions == b.weight_positions &&
         a.sample_weights == b.sample_weights && a.class_weights == b.class_weights &&
         a.classes == b.classes && a.rows == b.rows;
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

SeenData::SeenData(const Inputs& x, const Targets& y, const Losses& losses, InputSparsity path)
    : x_(x.begin(), x.end()), y_(y.begin(), y.end()), path_(path) {
  for (std::size_t i = 0; i < losses.size(); ++i) {
    losses_.push_back(losses[i]);
    weights_.push_back(losses.weight(i));
  }
}

bool SeenData::operator==(const SeenData& other) const {
  return std::equal(x_.begin(), x_.end(), other.x_.begin(), other.x_.end(), same_rows) &&
         std::equal(y_.begin(), y_.end(), other.y_.begin(), other.y_.end(), same_targets) &&
         losses_ == other.losses_ && weights_ == other.weights_ && path_ == other.path_;
}

template <class T>
Network<T>::State::EpochRun::EpochRun(State& state, const Inputs& x, const Targets& y,
                                      const Losses& losses, const Optimizer& optimizer,
                                      const EpochOptions& options, const Chunk* chunk)
    : s_(state),
      session_(state.training),
      x_(x),
      chunk_(chunk),
      there_(chunk ? Inputs(chunk->x) : x),
      y_(y),
      losses_(losses),
      optimizer_(optimizer),
      options_(options),
      kernels_(kernels::active<T>()),
      path_(options.input_sparsity),
      fixed_rate_(options.learning_rate != 0.0 ? options.learning_rate : optimizer.learning_rate()),
      outputs_(static_cast<T*>(options.outputs)),
      rows_(engine::RowList(options.rows, x.rows()).count),
      stored_(optimizer.clip_norm > 0.0 || optimizer.row().needs_whole_gradient ||
              state.graph.shares_parameters()),
      poller_(options, state.occupancy, session_.last_poll) {
  check_data();
  s_.check_no_overlap(there_, y, outputs_, rows_, s_.outputs);
  s_.check_augment(there_, options.augment);
  optimizer.check();
  path_ = path_of(optimizer, options.input_sparsity);
  check_learning_rates();
  if (options.schedule_origin < 0 || options.schedule_origin > s_.total_steps)
    throw Error("schedule_origin must lie in 0.." + std::to_string(s_.total_steps) + ", got " +
                std::to_string(options.schedule_origin));
}

template <class T>
void Network<T>::State::EpochRun::check_data() {
  // Here, since no memory may be wanting when the batches are done.
  if (options_.whole_epoch) data_.emplace(x_, y_, losses_, options_.input_sparsity);
  same_data_ = data_ && session_.seen && *session_.seen == *data_;
  session_.seen.reset();
  if (!same_data_) s_.check_targets(x_, y_, losses_);
  check_batches();
  // Pieces of an epoch that has begun have been checked with its first one.
  if (!same_data_ && !chunk_ && (!options_.whole_epoch || first_batch_ == 0))
    s_.check_categories(x_);
}

// Batches are numbered within the epoch: first_batch_..last_batch_ - 1 of all_batches_.
template <class T>
void Network<T>::State::EpochRun::check_batches() {
  if (options_.batch_size < 1)
    throw Error("batch_size must be >= 1, got " + std::to_string(options_.batch_size));
  // Those of an epoch under way were checked as they were put in its order.
  if (!same_data_ || !options_.shuffle || options_.first_batch == 0)
    engine::check_row_numbers(options_.rows, x_.rows(), "rows");
  if (chunk_ && !options_.rows.empty()) throw Error("rows need an x that is in memory");
  batch_size_ = std::min(options_.batch_size, rows_);
  s_.check_batch(batch_size_);
  all_batches_ = (rows_ + batch_size_ - 1) / batch_size_;
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

// With the first batch of an epoch the rates of all its steps are looked at, and later those of the
// part.
template <class T>
void Network<T>::State::EpochRun::check_learning_rates() const {
  engine::check_learning_rate(fixed_rate_);
  const std::int64_t end = first_batch_ == 0 ? all_batches_ : last_batch_;
  for (std::int64_t b = first_batch_; options_.learning_rates && b < end; ++b)
    engine::check_learning_rate(options_.learning_rates[b]);
}

template <class T>
EpochResult Network<T>::State::EpochRun::run() {
  // Here and not after the last batch, so that what is stopped is never a whole epoch.
  if (poller_.due(Poller::Clock::now()) &&
      poller_.stop(first_batch_, session_.losses.mean(losses_))) {
    poller_.rethrow();
    result_.stopped = true;
    return result_;
  }
  prepare();
  session_.under_way.store(weights_kept_);
  session_.passing.store(!weights_kept_);
  // Between pieces the team may change its size, which no result depends on.
  while (next_batch_ < last_batch_ && !stop_.load() && !diverged_.load() && !wrong_label_.load() &&
         !compiled_->plan.calls().failed()) {
    engine::run_piece(threads_, [&](engine::Team team) { run_piece(team); });
    next_batch_ = first_batch_ + result_.batches;
  }
  finish();
  poller_.rethrow();
  compiled_->plan.calls().rethrow();
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
  plan_options.losses = losses_;
  plan_options.augment = options_.augment;
  compiled_ = &s_.compile(session_.compiled, losses_, plan_options);
  const bool has_begun = options_.whole_epoch && first_batch_ > 0;
  const bool is_ready = same_data_ && compiled_->ready && first_batch_ > 0;
  compiled_->ready = false;
  if (!is_ready) compiled_->prepare(y_);
  compiled_->begin(options_.losses_before.value_or(has_begun ? session_.losses : LossSums()));
  if (optimizer_.lazy) compiled_->plan.check_takes_sparse(kLazy);
  try {
    if (!is_ready || (chunk_ && chunk_->is_new)) compiled_->plan.choose_path(there_, path_);
  } catch (...) {
    // Rows that were changed since the epoch's first piece.
    if (options_.whole_epoch && first_batch_ > 0 && session_.kept_epoch == s_.epochs)
      s_.restore_after_divergence();
    throw;
  }
  if (stored_) s_.gradients.make_room(s_.parameters);
  group_rules_.resize(s_.parameters.groups().size() * static_cast<std::size_t>(threads_));
  if (options_.shuffle) order_ = session_.shuffled(rows_, s_.seed, s_.epochs);
  numbers_ = order_;
  if (!options_.rows.empty())
    numbers_ = session_.chosen(options_.rows, order_, s_.epochs, first_batch_ > 0);
  const auto prepare_optimizer = [&](engine::OptimizerState<T>& state) {
    state.prepare(optimizer_, s_.parameters.arena_size(),
                  stored_ ? nullptr : compiled_->plan.sparse_weight());
  };
  const bool goes_on = s_.optimizer.goes_on(optimizer_);
  weights_kept_ = options_.whole_epoch && first_batch_ > 0 && session_.kept_epoch == s_.epochs;
  if (goes_on || weights_kept_) prepare_optimizer(s_.optimizer);
  follows_bounds_ =
      is_alone_ && goes_on && s_.backprop.step_bounds.known() && session_.has_room(s_.optimizer);
  if (!weights_kept_ || compiled_->plan.calls().expected()) s_.keep_statistics();
  if (follows_bounds_) {
    penalties_ = s_.penalties();
    bounds_ = s_.backprop.step_bounds;
  } else if (!weights_kept_) {
    engine::OptimizerState<T> fresh;
    if (!goes_on) prepare_optimizer(fresh);
    session_.make_room(s_.parameters.values, goes_on ? &s_.optimizer : nullptr);
    if (!goes_on) session_.replace(s_.optimizer, std::move(fresh));
  }
  if (!weights_kept_) session_.kept_epoch = -1;
  s_.backprop.step_bounds.forget();
  s_.backprop.forward_step.reset();
  s_.gradients.valid = false;
}

/// What each thread of a team does: the next batches, until it is time for a pause.
template <class T>
void Network<T>::State::EpochRun::run_piece(engine::Team team) {
  ThreadContext context(team);
  const Clock::time_point end = Clock::now() + engine::CoreShortage::piece_length;
  kernels::UpdateRule<T>* group_rules =
      group_rules_.data() + s_.parameters.groups().size() * static_cast<std::size_t>(team.index);
  for (std::int64_t b = next_batch_; b < last_batch_; ++b) {
    const engine::RowOrder order{order_, b * batch_size_};
    const std::int64_t done = b - first_batch_;
    Step<T> step;
    step.rows = std::min(batch_size_, rows_ - order.first);
    step.training = true;
    step.seed = s_.seed;
    step.number = static_cast<std::uint64_t>(s_.total_steps + done);
    step.schedule_step = s_.total_steps + done - options_.schedule_origin;
    step.epoch = static_cast<std::uint64_t>(options_.whole_epoch ? s_.epochs : s_.total_steps);
    step.places = order;
    step.steps_per_epoch = options_.whole_epoch ? all_batches_ : 1;
    const auto& decay = optimizer_.weight_decay_schedule;
    const engine::StepFactors factors{
        options_.learning_rates ? options_.learning_rates[b] : fixed_rate_,
        decay ? decay->rate(step.schedule_step, step.steps_per_epoch) : 1.0};
    const engine::Update<T> update =
        engine::make_update(kernels_, optimizer_, factors, s_.parameters, s_.optimizer,
                            s_.optimizer.steps + done + 1, group_rules);

    run_passes(context, step, order);
    if (context.first_thread()) {
      const Clock::time_point now = Clock::now();
      pause_.store(now >= end, std::memory_order_relaxed);
      poll_.store(b + 1 < last_batch_ && poller_.due(now), std::memory_order_relaxed);
    }
    context.sync_for(Partition::columns);
    const bool pauses = pause_.load(std::memory_order_relaxed);
    const bool polls = poll_.load(std::memory_order_relaxed);
    if (compiled_->plan.calls().failed()) break;
    if (context.first_thread()) count_batch(step, b, polls);
    if (diverged_.load(std::memory_order_relaxed)) break;
    if (wrong_label_.load(std::memory_order_relaxed)) break;
    if (follows_bounds_ && compiled_->plan.changed()) break;
    if (!weights_kept_ && !(follows_bounds_ && is_safe(context, update, step.rows)))
      keep_weights(context);
    if (context.first_thread() && compiled_->plan.calls().expected()) s_.keep_statistics();
    update_parameters(context, step, update, order);
    if (polls) context.sync_for(Partition::columns);
    if (pauses || (polls && stop_.load(std::memory_order_relaxed))) break;
  }
}

/// What no other call has looked for, or a callback may have changed since.
template <class T>
void Network<T>::State::EpochRun::find_wrong_labels(engine::Range rows, engine::RowOrder order) {
  for (std::size_t k = 0; k < y_.size(); ++k) {
    const std::int64_t* labels = y_[k].labels;
    if (losses_[k].is_custom() && !y_[k].class_weights) continue;
    const std::int64_t classes = s_.graph.node(s_.graph.outputs()[k]).shape.columns();
    const std::int64_t positions = y_[k].label_positions;
    for (std::int64_t i = rows.begin; labels && i < rows.end; ++i) {
      const std::int64_t* of_row = labels + order[i] * positions;
      for (std::int64_t p = 0; p < positions; ++p)
        if (of_row[p] < 0 || of_row[p] >= classes)
          wrong_label_.store(true, std::memory_order_relaxed);
    }
  }
}

/// Forward pass, loss and backward pass of a batch.
template <class T>
void Network<T>::State::EpochRun::run_passes(ThreadContext& context, const Step<T>& step,
                                             engine::RowOrder order) {
  engine::Plan<T>& plan = compiled_->plan;
  plan.load(context, step, there_, of_x(order));
  plan.forward(context, step);
  const engine::Range rows = step.rows_of(context.slice());
  find_wrong_labels(rows, of_y(order));
  compiled_->run(step, context, y_, of_y(order), true);
  if (!compiled_->finite(rows)) diverged_.store(true, std::memory_order_relaxed);
  if (outputs_) compiled_->copy_outputs(rows, order, outputs_);
  plan.backward(context, step);
}

/// Called by the first thread, after all have run the passes.
template <class T>
void Network<T>::State::EpochRun::count_batch(const Step<T>& step, std::int64_t batch, bool polls) {
  if (diverged_.load(std::memory_order_relaxed)) {
    bad_loss_ = compiled_->batch_loss(step.rows);
    bad_rows_ = step.rows;
    return;
  }
  compiled_->add_batch(step.rows);
  ++result_.batches;
  if (polls && poller_.stop(batch + 1, compiled_->all().mean(losses_)))
    stop_.store(true, std::memory_order_relaxed);
}

// Each thread the gradients of its parameters. The rows of the next batch are prefetched meanwhile:
// the products of x and dy leave loads to spare. Stored gradients are complete only behind a
// barrier in StoredUpdate::run.
template <class T>
void Network<T>::State::EpochRun::update_parameters(ThreadContext& context, Step<T> step,
                                                    const engine::Update<T>& update,
                                                    engine::RowOrder order) {
  engine::Plan<T>& plan = compiled_->plan;
  const engine::RowOrder next = of_x(order.after(step.rows));
  const std::int64_t rows = chunk_ ? there_.rows() : rows_;
  const std::int64_t next_rows = std::min(batch_size_, rows - next.first);
  kernels::PrefetchCursor cursor = engine::prefetch_cursor(
      there_[0], next, plan.loaded_rows(there_, next_rows, context.slice()));
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

// The plan that training would make, with the path of x, or of the last training of this size.
template <class T>
PlanInfo Network<T>::plan(std::int64_t batch_size, int num_threads, const Inputs& x,
                          InputSparsity input_sparsity) const {
  State& s = *state_;
  const engine::Reading guard(s);
  if (batch_size < 1) throw Error("batch_size must be >= 1, got " + std::to_string(batch_size));
  engine::PlanOptions options;
  options.batch_size = batch_size;
  options.threads = engine::threads_for(s.multiply_adds, batch_size, num_threads);
  options.backward = true;
  engine::Plan<T> plan(s.kernels, s.graph, s.parameters, options);
  if (x.rows() > 0) {
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
  engine::Plan<T>(s.kernels, s.graph, s.parameters, options).check_takes_sparse(kLazy);
}

#define CHAINRULE_MEMBERS(T)                                                                 \
  template Network<T>::State::EpochRun::EpochRun(State&, const Inputs&, const Targets&,      \
                                                 const Losses&, const Optimizer&,            \
                                                 const EpochOptions&, const Chunk*);         \
  template EpochResult Network<T>::State::EpochRun::run();                                   \
  template PlanInfo Network<T>::plan(std::int64_t, int, const Inputs&, InputSparsity) const; \
  template void Network<T>::check_trains(const Optimizer&, InputSparsity, std::int64_t) const;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule
