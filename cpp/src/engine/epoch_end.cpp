// SPDX-License-Identifier: Apache-2.0
// How an epoch or a step ends: with what came of it, or as if it had not been.
#include <cmath>
#include <limits>

#include "chainrule/error.hpp"
#include "engine/all_finite.hpp"
#include "engine/epoch_run.hpp"
#include "engine/instantiate.hpp"

namespace chainrule {
namespace {

using engine::Partition;
using engine::ThreadContext;

template <class T>
bool has_finite_numbers(const engine::Buffer<T>& parameters) {
  return engine::all_finite<T>(parameters.size(),
                               [&](std::int64_t i) { return parameters.data()[i]; });
}

}  // namespace

/// Whether the step cannot leave the range of T, nor make weights so large that the next forward
/// pass might. Every thread finds the same, so none has to wait for another's answer.
template <class T>
bool Network<T>::State::EpochRun::is_safe(const ThreadContext& context,
                                          const engine::Update<T>& update, std::int64_t rows) {
  engine::StepBounds<T> bounds = bounds_;
  const bool safe = bounds.step(update.rule, penalties_, compiled_->plan.gradient_bound(rows),
                                {update.group_rules, s_.parameters.groups().size()}) &&
                    !bounds.may_have_grown() && s_.statistics_finite() &&
                    std::isfinite(compiled_->batch_loss(rows));
  if (context.first_thread()) bounds_after_ = bounds;
  return safe;
}

// Copies the weights before an epoch's first update, or a step by itself that may spoil them, with
// the running statistics of before the batch: its loss is finite, so they are a way back, and the
// copy before them is not needed any more, which saves the memory of a second one. All threads wait
// for the copy, since each goes on to change its own parameters.
template <class T>
void Network<T>::State::EpochRun::keep_weights(ThreadContext& context) {
  context.sync_for(Partition::columns);
  if (context.first_thread()) {
    s_.keep_for_divergence();
    s_.put_statistics(session_.kept.values);
    if (options_.whole_epoch) session_.kept_epoch = s_.epochs;
    weights_kept_ = true;
    session_.under_way.store(true);
    session_.passing.store(false);
  }
  context.sync_for(Partition::columns);
}

/// Takes over what the batches have changed, or goes back and throws.
template <class T>
void Network<T>::State::EpochRun::finish() {
  try {
    compiled_->plan.check_unchanged();
    if (wrong_label_.load()) {
      s_.check_targets(x_, y_, losses_);
      throw Error("y was changed while it was read: it had labels out of range");
    }
    if (compiled_->plan.calls().failed()) drop_failed_batch();
  } catch (...) {
    weights_kept_ ? s_.restore_after_divergence() : restore_statistics();
    throw;
  }
  const std::int64_t batch = first_batch_ + result_.batches;
  if (diverged_.load()) diverge(bad_rows_, batch + 1, bad_loss_);
  s_.optimizer.steps += result_.batches;
  s_.total_steps += result_.batches;
  session_.under_way.store(false, std::memory_order_release);
  session_.passing.store(false, std::memory_order_release);
  result_.stopped = stop_.load();
  result_.losses = compiled_->call();
  result_.epoch_losses = compiled_->all();
  result_.weight = result_.losses[0].weight * result_.losses[0].unit;
  result_.loss = result_.losses.mean(losses_);
  result_.epoch_loss = result_.epoch_losses.mean(losses_);
  if (options_.whole_epoch) session_.losses = result_.epoch_losses;
  // The mean of losses that are each finite is finite, but for float64 at the end of its range.
  if (!std::isfinite(result_.loss)) diverge(0, batch, result_.loss);
  const bool epoch_done = options_.whole_epoch && batch == all_batches_;
  // An update may have overflowed after the last loss that could have shown it.
  if (weights_kept_ && (epoch_done || !options_.whole_epoch) &&
      !has_finite_numbers(s_.parameters.values))
    diverge(0, batch, std::numeric_limits<double>::infinity());
  if (epoch_done) ++s_.epochs;
  session_.kept_trained = session_.kept_trained || result_.batches > 0;
  if (is_alone_) finish_bounds();
  // Only a call that ended well vouches for its rows, so that the next one need not look through
  // them.
  session_.seen.swap(data_);
  compiled_->ready = true;
}

/// Goes back to before the batch in which a function of the caller's has thrown; where it is the
/// first of the call, throws.
template <class T>
void Network<T>::State::EpochRun::drop_failed_batch() {
  s_.put_statistics(s_.parameters.values);
  const bool begins = !options_.whole_epoch || first_batch_ == 0;
  if (result_.batches == 0 && (begins || !weights_kept_)) compiled_->plan.calls().rethrow();
}

// Bounds of the weights and the state for the next step: those that this one has been followed by,
// or where it was not, taken anew from the numbers.
template <class T>
void Network<T>::State::EpochRun::finish_bounds() {
  if (weights_kept_) {
    s_.backprop.step_bounds.look(kernels_, s_.parameters, s_.optimizer);
    return;
  }
  s_.backprop.step_bounds = bounds_after_;
  session_.kept_trained = session_.older.held = false;  // from which more than one step leads here
}

/// Goes back where the weights have not changed.
template <class T>
void Network<T>::State::EpochRun::restore_statistics() {
  s_.undo_passes();
  s_.backprop.step_bounds = bounds_;
}

template <class T>
void Network<T>::State::EpochRun::diverge(std::int64_t rows, std::int64_t batch, double loss) {
  if (!weights_kept_) restore_statistics();
  // Of rows that are not in memory only the chunk is there to be looked at.
  const engine::RowList list(chunk_ ? std::span<const std::int64_t>() : options_.rows,
                             there_.rows());
  s_.report_divergence(compiled_->plan, there_, list, rows, s_.epochs + 1, batch, loss,
                       weights_kept_);
}

#define CHAINRULE_MEMBERS(T)                                                                  \
  template bool Network<T>::State::EpochRun::is_safe(const ThreadContext&,                    \
                                                     const engine::Update<T>&, std::int64_t); \
  template void Network<T>::State::EpochRun::keep_weights(ThreadContext&);                    \
  template void Network<T>::State::EpochRun::finish();
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule
