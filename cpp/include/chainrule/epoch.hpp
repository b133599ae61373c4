// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "chainrule/augmentation.hpp"
#include "chainrule/callback.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/data.hpp"
#include "chainrule/loss.hpp"

namespace chainrule {

/// The losses of some rows added up, for an epoch whose rows come in several calls.
struct LossSum {
  double sum = 0.0;     // of weight times loss
  double weight = 0.0;  // of the rows
  double unit = 1.0;    // of both, a power of two near the largest weight

  double mean() const { return weight > 0.0 ? sum / weight : 0.0; }
};

/// Such sums for each output of a network; without any, of no rows. The only one of most networks
/// takes no memory of its own.
class LossSums {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  void resize(std::size_t size) {
    if (size > 1) others_.resize(size - 1);
    size_ = size;
  }
  LossSum& operator[](std::size_t output) { return output == 0 ? first_ : others_[output - 1]; }
  const LossSum& operator[](std::size_t output) const {
    return output == 0 ? first_ : others_[output - 1];
  }
  /// What training minimises: the means by the weights of the losses.
  double mean(const Losses& losses) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < size_; ++i) sum += losses.weight(i) * (*this)[i].mean();
    return sum;
  }

 private:
  LossSum first_;
  std::vector<LossSum> others_;
  std::size_t size_ = 0;
};

/// What a batch of an epoch gave.
struct BatchReport {
  std::int64_t epoch = 0;  // of the network, counted from 1
  std::int64_t batch = 0;  // counted from 1
  double loss = 0.0;       // weighted mean over its rows, from before its update
  double mean_loss = 0.0;  // of the epoch so far
  LossSums losses;         // what that is the mean of, for each output
};

/// Rows that are not in memory: given the numbers of `count` rows, returns these rows in that order
/// and of each input in one type, in memory that stays until the next call.
using ReadRows = Callback<InputRows(const std::int64_t* numbers, std::int64_t count)>;

/// How one pass over the training data runs.
struct EpochOptions {
  std::int64_t batch_size = 32;
  int num_threads = 0;  // 0: default_num_threads()
  InputSparsity input_sparsity = InputSparsity::automatic;
  bool shuffle = true;  // in the order that (seed, epoch) gives
  /// false: batches by themselves, which count as steps but not as an epoch; on divergence this
  /// call is undone.
  bool whole_epoch = true;
  double learning_rate = 0.0;              // 0: the optimizer's own
  const double* learning_rates = nullptr;  // one per batch of the epoch; takes precedence
  /// The network's step, at most its total_steps(), at which schedules of weight decay and dropout
  /// began: their step 0. A batch by itself counts as an epoch of them.
  std::int64_t schedule_origin = 0;
  std::int64_t first_batch = 0;  // for epochs that are run in pieces
  std::int64_t batches = -1;     // -1: to the end of the epoch
  /// Of the epoch, in calls on other rows; none: what the network knows of calls on these rows.
  std::optional<LossSums> losses_before = {};
  /// The numbers of the rows of x and y that the epoch has, in any order, with repetitions; none:
  /// all rows. The results are those of a table of these rows, of which there is no copy. In the
  /// caller's memory.
  std::span<const std::int64_t> rows = {};
  /// What becomes of images, before any layer; see augment_images. Batches by themselves have the
  /// random numbers of an epoch with the number of the network's step.
  Augmentations augment = {};
  /// Rows x outputs, of the network's type and in memory that is none of x's or y's: raw outputs in
  /// the rows' own places, of a list of rows in the order of the list.
  void* outputs = nullptr;
  /// Where x has no data, only numbers of rows and columns: called on the calling thread for the
  /// rows of some batches, as many as fit into a few megabytes. The network may be used from
  /// within. An exception takes a whole epoch back and is passed on.
  ReadRows read = {};
  /// Called on the calling thread after each batch; the network may be used from within, and what
  /// learning_rates points to, the optimizer and schedule_origin may change. True stops before the
  /// next batch, and so does an exception, which is then passed on.
  Callback<bool(const BatchReport&)> on_batch = {};
  /// Called on the calling thread between batches, at most every 50 ms however many calls those
  /// take; true stops before the next batch, and so does an exception, which is then passed on.
  /// `batches_done` are those of the epoch, and their mean loss, of which there is none before the
  /// first, is then the epoch's before.
  Callback<bool(std::int64_t batches_done, double mean_loss)> poll = {};
};

struct EpochResult {
  double loss = 0.0;         // weighted mean over the rows seen
  double epoch_loss = 0.0;   // the same over all pieces of the epoch so far, whatever those were
  LossSums losses;           // of this call, for each output
  LossSums epoch_losses;     // what epoch_loss is the mean of
  double weight = 0.0;       // of the rows of this call
  std::int64_t batches = 0;  // done in this call
  bool stopped = false;      // by poll
};

}  // namespace chainrule
