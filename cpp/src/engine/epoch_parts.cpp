// SPDX-License-Identifier: Apache-2.0
// An epoch in parts, between which the network is free: behind each batch for a caller that wants
// to see it, and for rows that are not in memory chunk by chunk.
#include <algorithm>
#include <numeric>
#include <vector>

#include "chainrule/error.hpp"
#include "engine/epoch_run.hpp"
#include "engine/input/read_rows.hpp"
#include "engine/instantiate.hpp"

namespace chainrule {
namespace {

/// How many rows of an x that is not in memory are read together: in random order those of several
/// batches, since rows that lie near each other are then read at once.
std::int64_t batches_of_chunk(const Inputs& x, std::int64_t batch_size, bool shuffle) {
  constexpr std::int64_t most_bytes = 4 << 20;
  constexpr std::int64_t least_chunks = 8;
  if (!shuffle) return 1;
  std::int64_t columns = 0;
  for (const RowsView& input : x) columns += input.columns;
  const std::int64_t row_bytes = 8 * std::max<std::int64_t>(1, columns);
  return std::max<std::int64_t>(
      1, std::min(most_bytes / row_bytes, x.rows() / least_chunks) / batch_size);
}

}  // namespace

/// One call of run_epoch in parts.
template <class T>
class Network<T>::State::EpochParts {
 public:
  EpochParts(State& state, const Inputs& x, const EpochOptions& options)
      : s_(state), x_(x), options_(options), part_(options) {
    const std::int64_t rows = engine::RowList(options.rows, x.rows()).count;
    batch_size_ = std::clamp<std::int64_t>(options.batch_size, 1, std::max<std::int64_t>(1, rows));
    const std::int64_t all = (rows + batch_size_ - 1) / batch_size_;
    const std::int64_t left = std::max<std::int64_t>(0, all - options.first_batch);
    last_ = options.first_batch + (options.batches < 0 ? left : std::min(left, options.batches));
    chunk_batches_ = batches_of_chunk(x, batch_size_, options.shuffle);
  }

  /// Runs part after part: a batch where each is to be seen, else what has been read, or all that
  /// is left. The network is held for a part and free in between. Its losses go on from part to
  /// part, so that the mean is that of the epoch.
  EpochResult run(const Targets& y, const Losses& losses, const Optimizer& chosen_optimizer) {
    EpochResult all;
    double sum = 0.0;
    std::int64_t next = options_.first_batch;
    do {
      if (options_.read && next >= chunk_end_) read(next, all.batches > 0);
      part_.first_batch = next;
      part_.schedule_origin = options_.schedule_origin;  // which on_batch may have changed
      part_.batches = options_.on_batch ? 1 : (options_.read ? chunk_end_ : last_) - next;
      BatchReport report;
      EpochResult result;
      {
        const engine::Changing guard(s_);
        report.epoch = s_.epochs + 1;
        result =
            EpochRun(s_, x_, y, losses, chosen_optimizer, part_, options_.read ? &chunk_ : nullptr)
                .run();
      }
      chunk_.is_new = false;
      part_.losses_before.reset();
      next += result.batches;
      all.batches += result.batches;
      all.weight += result.weight;
      sum += result.loss * result.weight;
      all.epoch_loss = result.epoch_loss;
      all.epoch_losses = result.epoch_losses;
      all.losses = result.losses;
      all.stopped = result.stopped;
      if (options_.on_batch && result.batches > 0) {
        report.batch = next;
        report.loss = result.loss;
        report.mean_loss = result.epoch_loss;
        report.losses = result.epoch_losses;
        all.stopped = options_.on_batch(report) || all.stopped;
      }
    } while (next < last_ && !all.stopped);
    // From the first batch on it is the mean of the epoch, otherwise that of the batches of this
    // call.
    all.loss = options_.first_batch == 0 ? all.epoch_loss
               : all.weight > 0.0        ? sum / all.weight
                                         : 0.0;
    return all;
  }

 private:
  /// Reads the rows of the next batches. Where that fails behind the first part, the network goes
  /// back to the beginning of the epoch, as after any failure of a part.
  void read(std::int64_t batch, bool has_begun) {
    try {
      read_chunk(batch);
    } catch (...) {
      const engine::Changing guard(s_);
      if (has_begun && options_.whole_epoch && s_.training.kept_epoch == s_.epochs)
        s_.restore_after_divergence();
      throw;
    }
  }

  /// The row numbers are those of the batches in the epoch's order, so the chunk's row i is the
  /// epoch's row first + i.
  void read_chunk(std::int64_t batch) {
    chunk_end_ = std::max(batch + 1, std::min(last_, batch + chunk_batches_));
    const std::int64_t first = std::clamp<std::int64_t>(batch * batch_size_, 0, x_.rows());
    const std::int64_t end = std::min(x_.rows(), chunk_end_ * batch_size_);
    numbers_.resize(static_cast<std::size_t>(std::max<std::int64_t>(0, end - first)));
    std::iota(numbers_.begin(), numbers_.end(), first);
    if (options_.shuffle) {
      const engine::Changing guard(s_);
      const std::int64_t* order = s_.training.shuffled(x_.rows(), s_.seed, s_.epochs);
      std::copy(order + first, order + first + static_cast<std::int64_t>(numbers_.size()),
                numbers_.begin());
    }
    const auto count = static_cast<std::int64_t>(numbers_.size());
    chunk_ = {engine::read_rows(options_.read, numbers_.data(), count, x_).inputs, batch, true};
  }

  State& s_;
  const Inputs x_;
  const EpochOptions& options_;
  EpochOptions part_;
  std::int64_t batch_size_ = 1;
  std::int64_t last_ = 0;
  std::int64_t chunk_batches_ = 1;
  std::int64_t chunk_end_ = -1;  // the batch behind the chunk
  Chunk chunk_;
  std::vector<std::int64_t> numbers_;  // of its rows
};

// x: rows x inputs, y: rows; in one go where nothing asks for parts.
template <class T>
EpochResult Network<T>::run_epoch(const Inputs& x, const Targets& y, const Losses& losses,
                                  const Optimizer& optimizer, const EpochOptions& options) {
  State& s = *state_;
  if ((options.on_batch || options.read) && x.size() > 0)
    return typename State::EpochParts(s, x, options).run(y, losses, optimizer);
  const engine::Changing guard(s);
  return typename State::EpochRun(s, x, y, losses, optimizer, options).run();
}

#define CHAINRULE_MEMBERS(T)                                                               \
  template EpochResult Network<T>::run_epoch(const Inputs&, const Targets&, const Losses&, \
                                             const Optimizer&, const EpochOptions&);
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule
