// SPDX-License-Identifier: Apache-2.0
// The loop of training, in the order in which it asks and tells:
//
//   adapt           Normalization layers, where they are not yet              on_begin
//   each epoch      on_epoch_begin, the learning rates of its steps
//     batches       Network::run_epoch, or what is left of the epoch          on_batch
//     look          at the epoch's loss and outputs for divergence            on_trained
//     validation    and the same look                                         on_validated
//     plateau       what the schedule watches
//     stopping      what early stopping watches; the best parameters          on_epoch
//   end             the best parameters put back
#include "engine/training_loop.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <string>

#include "chainrule/error.hpp"
#include "engine/all_finite.hpp"
#include "engine/instantiate.hpp"

namespace chainrule {
namespace {

/// The targets and weights of `count` rows from `first` on; class weights are of no row.
std::vector<TargetsView> targets_from(const Targets& y, std::int64_t first, std::int64_t count) {
  std::vector<TargetsView> part(y.begin(), y.end());
  for (TargetsView& target : part) {
    if (target.labels) {
      target.labels += first * target.label_positions;
    } else {
      target.values = engine::rows_from(target.values, first, count);
    }
    if (target.sample_weights) target.sample_weights += first * target.weight_positions;
    target.rows = count;
  }
  return part;
}

}  // namespace

// What no epoch changes of the options for its batches. rates_ has a place for each step of an
// epoch, and batch_options_ points to it.
template <class T>
Trainer<T>::State::Loop::Loop(State& state, const Inputs& x, const Targets& y,
                              const FitOptions& options)
    : s_(state), x_(x), y_(y), o_(options), rows_(options.rows, x.rows()) {
  EpochOptions& o = batch_options_;
  o.batch_size = std::min(options.batch_size, rows_.count);
  rates_.resize(static_cast<std::size_t>((rows_.count + o.batch_size - 1) / o.batch_size));
  o.num_threads = options.num_threads;
  o.shuffle = options.shuffle;
  o.input_sparsity = options.input_sparsity;
  o.learning_rates = rates_.data();
  o.first_batch = options.first_batch;
  if (!options.losses_before.empty()) o.losses_before = options.losses_before;
  o.rows = options.rows;
  o.augment = options.augment;
  o.outputs = options.outputs;
  o.read = options.read;
  o.poll = options.poll;
  if (options.on_batch)
    o.on_batch = [this](const BatchReport& batch) { return after_batch(batch); };
}

// What is thrown must find the best weights put back, too.
template <class T>
std::vector<EpochReport> Trainer<T>::State::Loop::run() {
  try {
    begin();
    while (advance()) continue;
  } catch (...) {
    end();
    throw;
  }
  end();
  return take_reports();
}

// Memory for the best weights is taken before anything is trained.
template <class T>
void Trainer<T>::State::Loop::begin() {
  if (o_.early_stopping) {
    s_.memory = {};
    if (o_.early_stopping->restore_best_weights) s_.best.make_room(*s_.network);
  }
  if (o_.epochs == 0) return;
  steps_before_ = s_.network->total_steps();
  adapted_ = adapt();
  goes_on_ = !(o_.on_begin && o_.on_begin());
}

template <class T>
bool Trainer<T>::State::Loop::advance() {
  if (goes_on_) goes_on_ = run_epoch() && ++begun_epochs_ < o_.epochs;
  return goes_on_;
}

/// Where no step was taken, the adaptation is taken back.
template <class T>
void Trainer<T>::State::Loop::end() {
  s_.within_epoch = false;
  if (adapted_ && s_.network->total_steps() == steps_before_) s_.network->undo_adaptation();
  s_.best.put_back(*s_.network);
}

// From the rows in memory, or from all that `read` gives, some at a time, as often as the layers
// have to see them.
template <class T>
bool Trainer<T>::State::Loop::adapt() const {
  if (!o_.read) return s_.network->adapt_remaining(x_, o_.rows);
  return s_.network->adapt_remaining([&](const Callback<void(const Inputs&)>& each) {
    visit(x_, o_.read, [&](const Inputs& piece, std::int64_t) { each(piece); });
  });
}

/// Returns whether the training goes on.
template <class T>
bool Trainer<T>::State::Loop::run_epoch() {
  Network<T>& trained = *s_.network;
  const bool was_over = is_over();
  // Batches that an earlier call has all trained on have made their epoch count already.
  const std::int64_t before = trained.epochs() - (was_over ? 1 : 0);
  if (o_.on_epoch_begin && o_.on_epoch_begin(before + 1)) return false;
  // No memory may be wanting when the epoch is done.
  if (reports_.size() == reports_.capacity()) reports_.reserve(2 * reports_.size() + 8);
  const EpochResult result = run_batches();
  EpochReport report;
  report.epoch = trained.epochs();
  if (report.epoch == before) return false;
  report.loss = result.epoch_loss;
  report.learning_rate = rates_.back();
  try {
    complete(report, result.epoch_losses);
  } catch (const DivergenceError&) {
    throw;
  } catch (...) {
    // Without a report there is no epoch, unless its batches are another call's.
    const bool keeps =
        was_over || o_.iterate || (o_.keeps && o_.keeps(std::current_exception(), true));
    if (!keeps && trained.epochs() == report.epoch) trained.restore_epoch();
    throw;
  }
  reports_.push_back(report);
  const bool enough = o_.on_epoch && o_.on_epoch(report);
  const bool waited = o_.early_stopping && s_.memory.stopped_epoch == report.epoch;
  return !enough && !result.stopped && !waited;
}

/// The batches that are left of the epoch. Behind a divergence the network has gone back by itself,
/// maybe by more than the epoch.
template <class T>
EpochResult Trainer<T>::State::Loop::run_batches() {
  EpochResult result;
  if (o_.iterate) {
    result.stopped = !o_.iterate(result);
    return result;
  }
  Network<T>& trained = *s_.network;
  EpochOptions& o = batch_options_;
  const std::int64_t before = trained.total_steps();
  read_schedules(o.first_batch, before);
  if (is_over()) {
    result.epoch_losses = *o.losses_before;
    result.epoch_loss = result.epoch_losses.mean(s_.losses());
  } else {
    s_.within_epoch = true;
    try {
      result = trained.run_epoch(x_, y_, s_.losses(), s_.optimizer, o);
    } catch (const DivergenceError&) {
      throw;
    } catch (...) {
      const bool keeps = o_.keeps && o_.keeps(std::current_exception(), false);
      if (!keeps && trained.total_steps() != before) trained.restore_epoch();
      throw;
    }
    s_.within_epoch = false;
  }
  o.first_batch = 0;
  o.losses_before.reset();
  return result;
}

// What the callback has set is read before the next step, which it makes.
template <class T>
bool Trainer<T>::State::Loop::after_batch(const BatchReport& batch) {
  const bool stops = o_.on_batch(batch);
  if (s_.was_set && batch.batch < batches()) read_schedules(batch.batch, s_.network->total_steps());
  return stops;
}

/// The rates of the steps from a batch on, behind the last one that of the step before, and where
/// the other schedules began.
template <class T>
void Trainer<T>::State::Loop::read_schedules(std::int64_t first_batch, std::int64_t next_step) {
  s_.was_set = false;
  batch_options_.schedule_origin = s_.origin;
  const std::int64_t count = std::max<std::int64_t>(1, batches() - first_batch);
  const std::int64_t first = batches() - count;
  const std::int64_t step = next_step - (first_batch - first);
  double* const rates = rates_.data() + first;
  if (o_.learning_rates && o_.learning_rates(step - s_.origin, count, batches(), rates)) return;
  for (std::int64_t i = 0; i < count; ++i) rates[i] = s_.rate(step + i, batches());
}

/// What belongs to an epoch behind its batches.
template <class T>
void Trainer<T>::State::Loop::complete(EpochReport& report, const LossSums& losses) {
  if (!std::isfinite(report.loss) || !is_finite(o_.outputs, rows_.count))
    diverge(x_, o_.read, o_.rows, "the loss of an output", report.loss, report.epoch);
  if (o_.on_trained) o_.on_trained(report, losses);
  LossSums of_validation;
  const std::int64_t rows = engine::RowList(o_.validation_rows, o_.validation_x.rows()).count;
  if (rows > 0) {
    report.validation_loss = evaluate(&of_validation);
    if (!std::isfinite(report.validation_loss) || !is_finite(o_.validation_outputs, rows))
      diverge(o_.validation_x, o_.read_validation, o_.validation_rows, "the validation loss",
              report.validation_loss, report.epoch);
  }
  if (o_.on_validated) o_.on_validated(report, of_validation);
  observe(report);
}

// sums: those of all rows so far, so that rows that come in pieces have the mean of all. outputs:
// rows x outputs, or null.
template <class T>
double Trainer<T>::State::Loop::evaluate(LossSums* sums) const {
  auto* const outputs = static_cast<T*>(o_.validation_outputs);
  const auto of_rows = [&](const Inputs& x, const Targets& y, std::int64_t first) {
    T* const to = outputs ? outputs + first * s_.network->outputs() : nullptr;
    return s_.network->evaluate(x, y, s_.losses(), kEvaluateRows, o_.num_threads, to,
                                o_.input_sparsity, o_.poll_validation, sums, o_.validation_rows);
  };
  if (!o_.read_validation) return of_rows(o_.validation_x, o_.validation_y, 0);
  double mean = 0.0;
  visit(o_.validation_x, o_.read_validation, [&](const Inputs& piece, std::int64_t first) {
    mean = of_rows(piece, targets_from(o_.validation_y, first, piece.rows()), first);
  });
  return mean;
}

template <class T>
double Trainer<T>::State::Loop::value(const std::string& name, const EpochReport& report) const {
  if (o_.monitored) return o_.monitored(name);
  const bool validated = o_.validation_x.rows() > 0;
  return name == "val_loss" && validated ? report.validation_loss : report.loss;
}

/// Tells the schedule and early stopping what the epoch gave.
template <class T>
void Trainer<T>::State::Loop::observe(const EpochReport& report) {
  if (s_.plateau) s_.plateau->observe(*s_.schedule, value(s_.monitor, report), s_.rises);
  if (!o_.early_stopping) return;
  const EarlyStopping& rule = *o_.early_stopping;
  const bool improved = s_.memory.observe(rule, report.epoch, value(rule.monitor, report));
  if (improved && rule.restore_best_weights) s_.best.take(*s_.network);
}

// outputs: rows x outputs of T, or null where they were not asked for
template <class T>
bool Trainer<T>::State::Loop::is_finite(const void* outputs, std::int64_t rows) const {
  const auto* const values = static_cast<const T*>(outputs);
  return !values || engine::all_finite<T>(rows * s_.network->outputs(),
                                          [&](std::int64_t i) { return values[i]; });
}

/// Undoes an epoch in which something shows the divergence that its batches' losses did not.
template <class T>
void Trainer<T>::State::Loop::diverge(const Inputs& x, const ReadRows& read,
                                      std::span<const std::int64_t> rows, const char* what,
                                      double value, std::int64_t epoch) {
  Network<T>& trained = *s_.network;
  std::int64_t layer = -1;
  for (std::size_t i = 0; layer < 0 && i < rows.size(); i += kEvaluateRows)
    layer = trained.first_bad_layer(
        x, rows.subspan(i).first(std::min<std::size_t>(kEvaluateRows, rows.size() - i)));
  if (rows.empty())
    visit(x, read, [&](const Inputs& piece, std::int64_t) {
      if (layer < 0) layer = trained.first_bad_layer(piece);
    });
  if (layer < 0) layer = static_cast<std::int64_t>(trained.layers().size()) - 1;
  if (!o_.iterate) trained.restore_epoch();
  const std::string name = std::to_string(layer) + " (" +
                           std::string(trained.layers()[static_cast<std::size_t>(layer)]->kind()) +
                           ")";
  const double loss = std::isfinite(value) ? std::numeric_limits<double>::quiet_NaN() : value;
  throw DivergenceError("training diverged: " + std::string(what) + " became " +
                            (std::isnan(loss) ? "NaN" : "infinite") + " in epoch " +
                            std::to_string(epoch) + ", batch " + std::to_string(batches()) +
                            ", first seen in layer " + name +
                            "; the weights are those of before. Try a smaller learning rate, "
                            "clip_norm, or inputs of unit scale",
                        epoch, batches(), name, loss);
}

#define CHAINRULE_MEMBERS(T)                                                    \
  template Trainer<T>::State::Loop::Loop(State&, const Inputs&, const Targets&, \
                                         const FitOptions&);                    \
  template std::vector<EpochReport> Trainer<T>::State::Loop::run();             \
  template void Trainer<T>::State::Loop::begin();                               \
  template bool Trainer<T>::State::Loop::advance();                             \
  template void Trainer<T>::State::Loop::end();
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule
