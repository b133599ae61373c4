// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/compiled_loss.hpp"
#include "engine/input/row_order.hpp"
#include "engine/network_state.hpp"
#include "engine/optimizer/step_bounds.hpp"
#include "engine/optimizer/update.hpp"
#include "engine/poller.hpp"
#include "engine/stages/loss.hpp"
#include "engine/threads/core_shortage.hpp"
#include "engine/threads/thread_context.hpp"
#include "kernels/dispatch.hpp"

namespace chainrule {

/// The rows of some batches, from rows that are not in memory.
struct Chunk {
  std::vector<RowsView> x;  // of each input, as the epoch visits them
  std::int64_t first_batch = 0;
  bool is_new = true;  // not yet trained on
};

/// One call of run_epoch, or a part of it: checks what it is given, takes all memory, runs the
/// batches, and takes over what has come of them or goes back to what there was.
template <class T>
class Network<T>::State::EpochRun {
 public:
  /// Throws Error for arguments that do not fit the network or each other.
  EpochRun(State& state, const Inputs& x, const Targets& y, const Losses& losses,
           const Optimizer& optimizer, const EpochOptions& options, const Chunk* chunk = nullptr);

  EpochResult run();

 private:
  using Clock = engine::CoreShortage::Clock;

  // In the constructor: what is given fits. In run: memory, batches, and what comes of them.
  void check_data();
  void check_batches();
  void check_learning_rates() const;
  void prepare();
  // The threads of a team call these; count_batch the first one alone.
  void run_piece(engine::Team team);
  void run_passes(engine::ThreadContext& context, const engine::Step<T>& step,
                  engine::RowOrder order);
  void find_wrong_labels(engine::Range rows, engine::RowOrder order);
  void count_batch(const engine::Step<T>& step, std::int64_t batch, bool polls);
  void update_parameters(engine::ThreadContext& context, engine::Step<T> step,
                         const engine::Update<T>& update, engine::RowOrder order);
  bool is_safe(const engine::ThreadContext& context, const engine::Update<T>& update,
               std::int64_t rows);
  void keep_weights(engine::ThreadContext& context);
  // The calling thread calls these, behind the last team.
  void finish();
  void finish_bounds();
  void drop_failed_batch();
  void restore_statistics();
  /// Where the rows of a batch stand in y, and in what there is of x.
  engine::RowOrder of_y(engine::RowOrder order) const { return {numbers_, order.first}; }
  engine::RowOrder of_x(engine::RowOrder order) const {
    return chunk_ ? engine::RowOrder{nullptr, order.first - chunk_->first_batch * batch_size_}
                  : of_y(order);
  }
  [[noreturn]] void diverge(std::int64_t rows, std::int64_t batch, double loss);

  State& s_;
  TrainingSession<T>& session_;
  const Inputs x_;
  const Chunk* chunk_;  // what there is of x; null: all
  const Inputs there_;  // the same
  const Targets y_;
  const Losses losses_;
  const Optimizer& optimizer_;
  const EpochOptions& options_;
  const kernels::KernelTable<T>& kernels_;
  InputSparsity path_;
  double fixed_rate_;
  T* outputs_;
  const std::int64_t rows_;  // of the epoch
  bool stored_;              // all of a parameter's gradient must be known before any of it is used
  std::int64_t batch_size_ = 0;
  std::int64_t all_batches_ = 0;
  std::int64_t first_batch_ = 0;
  std::int64_t last_batch_ = 0;
  engine::Poller poller_;

  std::optional<SeenData> data_;  // of a whole epoch
  /// Whether the last call was on the same rows, which were looked through then.
  bool same_data_ = false;
  /// Whether the call is one batch by itself, and whether its step is followed by bounds, so that
  /// weights and optimizer state are kept only where the bounds would leave the range of T.
  bool is_alone_ = false;
  bool follows_bounds_ = false;
  bool weights_kept_ = true;
  engine::Penalties penalties_;
  std::vector<kernels::UpdateRule<T>> group_rules_;  // of each thread, one group behind the other
  engine::StepBounds<T> bounds_;                     // before the step
  engine::StepBounds<T> bounds_after_;               // behind it

  int threads_ = 1;
  CompiledLoss<T>* compiled_ = nullptr;
  const std::int64_t* order_ = nullptr;    // of the epoch's rows; null: as they are
  const std::int64_t* numbers_ = nullptr;  // theirs in the caller's tables, in this order

  std::int64_t next_batch_ = 0;  // the first of the next piece
  // Decided before all threads meet, for what they do behind that.
  std::atomic<bool> pause_{false};
  std::atomic<bool> poll_{false};
  std::atomic<bool> diverged_{false};
  std::atomic<bool> stop_{false};
  std::atomic<bool> wrong_label_{false};

  EpochResult result_;
  double bad_loss_ = 0.0;  // where a batch diverged
  std::int64_t bad_rows_ = 0;
};

}  // namespace chainrule
