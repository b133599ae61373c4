// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "chainrule/augmentation.hpp"
#include "chainrule/callback.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/early_stopping.hpp"
#include "chainrule/error.hpp"
#include "chainrule/export.h"
#include "chainrule/network.hpp"
#include "chainrule/owned.hpp"
#include "chainrule/schedule.hpp"

namespace chainrule {

namespace engine {
template <class T>
class ManyTrainings;
}

/// What an epoch gave.
struct EpochReport {
  std::int64_t epoch = 0;  // of the network, counted from 1
  double loss = 0.0;       // weighted mean over its rows, each from before its batch's update
  double validation_loss = std::numeric_limits<double>::quiet_NaN();  // NaN: no validation data
  double learning_rate = 0.0;                                         // of its last step
};

/// How Trainer::fit runs. The data that it refers to must outlive the call.
struct FitOptions {
  std::int64_t epochs = 1;
  std::int64_t batch_size = 32;
  int num_threads = 0;  // 0: default_num_threads()
  bool shuffle = true;
  InputSparsity input_sparsity = InputSparsity::automatic;
  Augmentations augment = {};   // of the images trained on; see EpochOptions::augment
  InputRows validation_x = {};  // no rows: none
  OutputTargets validation_y = {};
  std::optional<EarlyStopping> early_stopping = {};
  /// For a training that goes on within an epoch: the batches of the first epoch that have been
  /// trained on, and the last one's BatchReport::losses. Where these are all batches, the first
  /// epoch is what follows them.
  std::int64_t first_batch = 0;
  LossSums losses_before = {};
  /// The rows of x and y to train on, and those of validation_x and validation_y to validate by;
  /// see EpochOptions::rows. Many trainings so share one table.
  std::span<const std::int64_t> rows = {};
  std::span<const std::int64_t> validation_rows = {};
  /// Reads rows of an x without data; see EpochOptions::read. The other does so for validation_x,
  /// in the order of the rows.
  ReadRows read = {};
  ReadRows read_validation = {};
  /// The caller has looked through all data as fit does otherwise.
  bool data_checked = false;
  /// As EpochOptions::outputs: what the batches gave for the rows, each from before its update, and
  /// what the validation rows gave behind the epoch. An output that is not finite is a divergence.
  void* outputs = nullptr;
  void* validation_outputs = nullptr;

  // What follows is called on the calling thread, in this order. The network may be used from
  // within; the trainer may be asked and set, but neither train nor evaluate. True ends the
  // training. An exception ends it too and is passed on: within an epoch, as long as on_epoch has
  // not been called, it takes the epoch back, unless `keeps` says otherwise.

  /// When Normalization layers have been adapted.
  Callback<bool()> on_begin = {};
  /// Before each epoch, given its number.
  Callback<bool(std::int64_t epoch)> on_epoch_begin = {};
  /// For `count` steps from `step` on, counted from where the schedule began: their rates in the
  /// place of the schedule's, if it returns true.
  Callback<bool(std::int64_t step, std::int64_t count, std::int64_t steps_per_epoch, double* rates)>
      learning_rates = {};
  /// Makes an epoch in the place of batches and counts it, such as an iteration of a
  /// FullBatchTrainer, with its loss in `epoch_loss` and `epoch_losses`. False: there is none any
  /// more, which ends the training. Such an epoch is never taken back.
  Callback<bool(EpochResult& result)> iterate = {};
  /// After each batch; the epoch goes on with what the trainer has been set to. True ends the
  /// training there, within the epoch.
  Callback<bool(const BatchReport&)> on_batch = {};
  /// Behind an epoch's batches, with the losses of each output.
  Callback<void(const EpochReport&, const LossSums&)> on_trained = {};
  /// Behind the validation, with its losses; without validation data as well, with none.
  Callback<void(const EpochReport&, const LossSums&)> on_validated = {};
  /// The epoch's value of a name, for what monitors one: a reduce_on_plateau schedule and early
  /// stopping. Without it there are "loss" and "val_loss", those of the report.
  Callback<double(const std::string& name)> monitored = {};
  /// Behind all that belongs to an epoch.
  Callback<bool(const EpochReport&)> on_epoch = {};
  /// Of an exception within an epoch, whether what has been trained stays: some of its batches, or
  /// with `whole` all of them. Not asked of a divergence.
  Callback<bool(const std::exception_ptr& error, bool whole)> keeps = {};

  /// Called every 50 ms or so; see EpochOptions::poll. Not during validation, which has its own:
  /// see Network::evaluate.
  Callback<bool(std::int64_t batches_done, double mean_loss)> poll = {};
  Callback<void()> poll_validation = {};
};

/// Trains a network for a loss of each output by an optimizer, whose learning rate may follow a
/// schedule. T is float or double.
///
///     Network<float> network({Dense(64, "relu"), Dense(10)}, 784, seed);
///     Trainer<float> trainer(network, Loss::defaults(Loss::Kind::cross_entropy),
///                            Adam{.learning_rate = 1e-3});
///     for (const EpochReport& report : trainer.fit(view(x, 784), labels(y), {.epochs = 5})) ...
///
/// One thread at a time may use a trainer: a second one gets a StateError and changes nothing.
/// Different trainers are independent, but for one network's.
template <class T>
class CHAINRULE_API Trainer {
 public:
  /// `losses`: one for each output. For a network that outlives the trainer and stays in its place.
  /// Throws Error when an option of the loss, the optimizer or the schedule is out of its range, or
  /// the network has no such outputs as the loss needs. A schedule takes the place of the
  /// optimizer's learning_rate and begins with the next step.
  Trainer(Network<T>& network, const Losses& losses, const Optimizer& optimizer,
          const std::optional<Schedule>& schedule = std::nullopt);
  /// Must not be destroyed, moved or assigned to while it is in a call, from its callbacks neither.
  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;
  ~Trainer();

  Network<T>& network() const;
  /// Of each output, with their weights.
  Losses losses() const;
  const Optimizer& optimizer() const;

  /// Takes the place of the losses, from the next epoch on. Throws Error as the constructor, and
  /// StateError within an epoch.
  void set_losses(const Losses& losses);
  /// Takes the place of optimizer and schedule, from the next step on, in a callback of fit too.
  /// What the network remembers of an optimizer stays as long as its kind stays the same. A
  /// schedule, of the learning rate or of weight decay, that is not equal to the one before begins
  /// with that step, and all with it. Throws Error as the constructor.
  void set_optimizer(const Optimizer& optimizer,
                     const std::optional<Schedule>& schedule = std::nullopt);

  /// The one loop of training, of C and Python too. Trains for options.epochs epochs, going on from
  /// the present weights and the optimizer's state, and reports each. Normalization layers that
  /// have not been adapted are adapted to x first, as by Network::adapt_remaining. x: for each
  /// input (rows, its columns); y: for each output labels (rows) or values (rows, its columns). The
  /// results depend on the data, the network's seed and the options alone, not on threads.
  ///
  /// All arguments are checked before anything changes: throws Error for those that do not fit,
  /// also for numbers in x and y that are not finite and for targets that the loss cannot compare
  /// (see check_targets).
  /// Early stopping watches the loss or the validation loss of the epochs of this call, and at its
  /// end puts the best epoch's parameters back, also where an exception ends it.
  /// Throws DivergenceError when the loss or a parameter is no longer finite, with everything as it
  /// was when that epoch began; see Network::run_epoch.
  std::vector<EpochReport> fit(const Inputs& x, const Targets& y, const FitOptions& options = {});

  /// What early stopping saw in the last fit that had one; throws StateError while another thread
  /// uses the trainer.
  EarlyStoppingMemory early_stopping() const;

  /// One optimizer step on these rows as a batch; returns their mean loss from before it. For
  /// online learning: after two calls with a number of rows it allocates nothing as long as that
  /// stays the same. A schedule counts each such step as an epoch. Throws Error for rows
  /// that do not fit, without having changed anything, and DivergenceError as Network::run_epoch.
  double step(const Inputs& x, const Targets& y);

  /// Mean loss over the rows in inference mode. Throws Error for rows that do not fit.
  double evaluate(const Inputs& x, const Targets& y, int num_threads = 0);

  /// The schedule of the learning rate.
  const std::optional<Schedule>& schedule() const;
  /// What it remembers if it is reduce_on_plateau; throws StateError while another thread uses the
  /// trainer.
  std::optional<Plateau> plateau() const;
  /// Takes the place of what a reduce_on_plateau schedule remembers, for a run that goes on from a
  /// file; throws Error when there is no such schedule.
  void set_plateau(const Plateau& plateau);
  /// What it watches: "val_loss", which is the default, and without validation data the loss;
  /// "loss"; or a name that FitOptions::monitored knows. With `rises` greater values are better.
  void set_monitor(const std::string& monitor, bool rises = false);
  const std::string& monitor() const;
  bool monitor_rises() const;

  /// The network's step at which the schedules of learning rate, weight decay and dropout began,
  /// which is their step 0, for a run that goes on from a file; throws StateError while another
  /// thread uses the trainer.
  std::int64_t schedule_origin() const;
  void set_schedule_origin(std::int64_t step);

 private:
  struct CHAINRULE_HIDDEN State;
  friend class engine::ManyTrainings<T>;  // which trains many networks
  Owned<State> state_;
};

extern template class Trainer<float>;
extern template class Trainer<double>;

}  // namespace chainrule
