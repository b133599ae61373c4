// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "chainrule/loss.hpp"
#include "chainrule/network.hpp"
#include "chainrule/random.hpp"
#include "engine/buffer.hpp"
#include "engine/compiled_loss.hpp"
#include "engine/optimizer/optimizer_state.hpp"

namespace chainrule {

/// Everything that training changes, kept to go back to.
template <class T>
struct Checkpoint {
  engine::Buffer<T> values;  // an arena of parameters
  engine::OptimizerState<T> optimizer;
  std::int64_t total_steps = 0;
  std::int64_t epochs = 0;
};

/// Where the rows of a call lie and what it did with them. A call on the same ones need not look
/// through them again: what a batch reads is checked with the batch.
class SeenData {
 public:
  SeenData(const Inputs& x, const Targets& y, const Losses& losses, InputSparsity path);
  bool operator==(const SeenData& other) const;

 private:
  std::vector<RowsView> x_;
  std::vector<TargetsView> y_;
  std::vector<Loss> losses_;
  std::vector<double> weights_;
  InputSparsity path_;
};

/// What training keeps between calls of run_epoch: the plan, the order of the rows, the mean loss
/// of an epoch that is run in pieces, and the way back where it diverges.
template <class T>
struct TrainingSession {
  // The plan of the last call, for the next of the same losses, batch size and threads.
  std::unique_ptr<CompiledLoss<T>> compiled;

  std::optional<SeenData> seen;  // by the last call, if it ended well

  std::chrono::steady_clock::time_point last_poll{};
  LossSums losses;  // of the epoch under way, or of the last one

  Checkpoint<T> kept;
  std::int64_t kept_epoch =
      -1;                     // the epoch at whose beginning it was kept; -1: at a batch's, or none
  bool kept_trained = false;  // a batch of finite loss was trained on from what is kept
  /// What was kept before that, if training led from there to here without a change from outside:
  /// the way back where the weights that are kept give numbers that are not finite.
  struct Older : Checkpoint<T> {
    bool held = false;
    bool no_optimizer = false;  // there was none, whatever the member holds
  } older;
  engine::Buffer<T> statistics;        // see Network::State::keep_statistics
  std::atomic<bool> under_way{false};  // what was kept at the epoch's start is not what there is

  /// Rows 0..rows-1 in the order of an epoch, which depends on the seed and the epoch alone. Valid
  /// until the next call.
  const std::int64_t* shuffled(std::int64_t rows, std::uint64_t seed, std::int64_t epoch) {
    if (order_epoch_ != epoch || static_cast<std::int64_t>(order_.size()) != rows) {
      order_epoch_ = -1;
      order_.resize(static_cast<std::size_t>(rows));
      shuffled_order(order_.data(), rows, seed, static_cast<std::uint64_t>(epoch));
      order_epoch_ = epoch;
    }
    return order_.data();
  }

  /// The numbers of a list in the order of an epoch, for null in their own. `goes_on`: the epoch
  /// has begun, with this list. Valid until the next call.
  const std::int64_t* chosen(std::span<const std::int64_t> list, const std::int64_t* order,
                             std::int64_t epoch, bool goes_on) {
    if (!order) return list.data();
    if (goes_on && chosen_epoch_ == epoch && chosen_.size() == list.size()) return chosen_.data();
    chosen_epoch_ = -1;
    chosen_.resize(list.size());
    for (std::size_t i = 0; i < list.size(); ++i)
      chosen_[i] = list[static_cast<std::size_t>(order[i])];
    chosen_epoch_ = epoch;
    return chosen_.data();
  }

  /// Keeps what there is, in memory of the checkpoint before the last.
  void keep(const engine::Buffer<T>& values, const engine::OptimizerState<T>& optimizer,
            std::int64_t total_steps, std::int64_t epochs) {
    kept_epoch = -1;  // until all is there
    if (kept_trained) {
      make_kept_older();
      // Only to have the memory, so that no later epoch needs any.
      if (older.no_optimizer) older.optimizer.copy_from(optimizer);
    }
    if (kept.values.empty()) kept.values = engine::Buffer<T>(values.size());
    kept.values.copy_from(values);
    kept.optimizer.copy_from(optimizer);
    kept.total_steps = total_steps;
    kept.epochs = epochs;
  }

  /// Whether `keep` needs no memory.
  bool has_room(const engine::OptimizerState<T>& optimizer) const {
    return !kept.values.empty() && kept.optimizer.has_room(optimizer) && !older.values.empty() &&
           older.optimizer.has_room(optimizer);
  }

  /// Makes what was kept the way back, where training led from there to the present weights.
  void make_kept_older() {
    older.held = false;
    if (!kept_trained) return;
    std::swap(static_cast<Checkpoint<T>&>(older), kept);
    older.held = true;
    older.no_optimizer = older.optimizer.kind.empty();
    kept_trained = false;
  }

  /// To be called when the weights, or what is trained on, have changed otherwise.
  void forget_older() {
    seen.reset();
    kept_trained = false;
    older.held = false;
  }

  /// In a forked child: what threads of the parent had lent or were about to fill is not used.
  void recover() {
    compiled.reset();
    seen.reset();
    order_epoch_ = chosen_epoch_ = -1;
  }

 private:
  std::vector<std::int64_t> order_;
  std::int64_t order_epoch_ = -1;  // the epoch that order_ is for
  std::vector<std::int64_t> chosen_;
  std::int64_t chosen_epoch_ = -1;
};

}  // namespace chainrule
