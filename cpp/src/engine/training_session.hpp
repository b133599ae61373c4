// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
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
  double norm = 0.0;  // of the values
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

  Checkpoint<T> kept;  // until the first batch of an epoch has a finite loss: of the epoch before
  std::int64_t kept_epoch =
      -1;                     // the epoch at whose beginning it was kept; -1: at a batch's, or none
  bool kept_trained = false;  // a batch of finite loss was trained on from what is kept
  /// What was kept before that, if training led from there to weights so much larger that they may
  /// give numbers that are not finite for rows of later batches. Steps by hand use its memory too.
  struct Older : Checkpoint<T> {
    bool held = false;
  } older;
  engine::OptimizerState<T> spare;  // for what is kept next: memory, or the state that was replaced
  bool replaced = false;
  engine::Buffer<T> statistics;        // see Network::State::keep_statistics
  std::atomic<bool> passing{false};    // what changes before anything is kept is not what there was
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

  /// Takes the memory that `keep` needs, beside what was kept. optimizer: null where it is to be
  /// replaced.
  void make_room(const engine::Buffer<T>& values, const engine::OptimizerState<T>* optimizer) {
    if (kept.values.empty()) kept.values = engine::Buffer<T>(values.size());
    if (optimizer && !kept.optimizer.has_room(*optimizer)) spare = *optimizer;
    replaced = false;
  }

  /// Takes another optimizer's state instead of the present one, which is kept next.
  void replace(engine::OptimizerState<T>& optimizer, engine::OptimizerState<T> fresh) noexcept {
    spare = std::exchange(optimizer, std::move(fresh));
    replaced = true;
  }

  /// Keeps what there is in that memory, with an optimizer's state that was replaced instead of
  /// `optimizer`. What was kept is held on to where the values have grown from there by more than
  /// a factor, if there is memory for that.
  void keep(const engine::Buffer<T>& values, const engine::OptimizerState<T>& optimizer,
            std::int64_t total_steps, std::int64_t epochs, double norm, double most_growth) {
    kept_epoch = -1;  // until all is there
    if (kept_trained) {
      older.held = false;
      if (!(norm <= most_growth * std::max(1.0, kept.norm))) hold_older(optimizer);
    }
    kept_trained = false;
    if (!replaced && kept.optimizer.has_room(optimizer)) {
      kept.optimizer.copy_from(optimizer);
    } else {
      if (!replaced) spare.copy_from(optimizer);
      kept.optimizer = std::move(spare);
    }
    spare = {};
    replaced = false;
    kept.values.copy_from(values);
    kept.total_steps = total_steps;
    kept.epochs = epochs;
    kept.norm = norm;
  }

  /// Whether `keep` needs no memory.
  bool has_room(const engine::OptimizerState<T>& optimizer) const {
    return !kept.values.empty() && kept.optimizer.has_room(optimizer);
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
  void hold_older(const engine::OptimizerState<T>& optimizer) {
    try {
      Checkpoint<T> fresh;
      fresh.values = engine::Buffer<T>(kept.values.size());
      fresh.optimizer = optimizer;
      static_cast<Checkpoint<T>&>(older) = std::exchange(kept, std::move(fresh));
      older.held = true;
    } catch (const std::bad_alloc&) {
      return;  // the weights that are kept next are the only way back
    }
  }

  std::vector<std::int64_t> order_;
  std::int64_t order_epoch_ = -1;  // the epoch that order_ is for
  std::vector<std::int64_t> chosen_;
  std::int64_t chosen_epoch_ = -1;
};

}  // namespace chainrule
