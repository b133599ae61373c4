// SPDX-License-Identifier: Apache-2.0
// What a Network holds, shared by the files that implement its members.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/network.hpp"
#include "engine/inference/spares.hpp"
#include "engine/optimizer/optimizer_state.hpp"
#include "engine/optimizer/step_bounds.hpp"
#include "engine/optimizer/stored_update.hpp"
#include "engine/parameters.hpp"
#include "engine/plan.hpp"
#include "engine/stages/loss.hpp"
#include "engine/threads/occupancy.hpp"
#include "kernels/dispatch.hpp"

namespace chainrule {

/// A plan of the first layers, which predicts.
template <class T>
struct ForwardPlan {
  std::int64_t layers;
  engine::Plan<T> plan;
};

/// A plan with the loss that it ends in, kept for the next call of the same kind.
template <class T>
struct CompiledLoss {
  Loss loss;
  engine::Plan<T> plan;
  engine::LossStage<T> stage;
};

template <class T>
struct Network<T>::State {
  State(std::vector<AnyLayer> layers_, std::int64_t inputs_, std::uint64_t seed_,
        InitialValues values);
  State(const State& other);

  std::vector<AnyLayer> layers;
  std::int64_t inputs;
  std::int64_t outputs;
  std::uint64_t seed;
  double multiply_adds;  // of one row forward
  const kernels::KernelTable<T>& kernels;
  engine::Parameters<T> parameters;
  std::vector<ParameterInfo> infos;
  engine::OptimizerState<T> optimizer;
  std::int64_t total_steps = 0;
  std::int64_t epochs = 0;
  std::vector<std::int64_t> unadapted;     // Normalization layers whose statistics no data gave yet
  std::vector<std::string> feature_names;  // empty: none, as of the next
  std::vector<std::string> class_names;

  const std::vector<std::int64_t> categories;  // of each column of x; empty where none has any

  /// What adaptation changes.
  struct Statistics {
    std::vector<std::int64_t> unadapted;
    std::vector<T> values;           // means and variances
    std::vector<double> exact_mean;  // see Parameters
  };

  // Everything below is rebuilt when needed and not part of a copy.
  std::unique_ptr<CompiledLoss<T>> training;
  std::unique_ptr<CompiledLoss<T>> checking;  // compute_gradients
  engine::Spares<ForwardPlan<T>> inference;
  engine::Spares<ForwardPlan<T>> first_layers;  // of some layers only
  engine::Spares<CompiledLoss<T>> evaluation;
  std::unique_ptr<engine::Plan<T>> by_hand;
  std::unique_ptr<engine::StoredUpdate<T>> stored_update;
  engine::StepBounds<T> step_bounds;  // of steps by hand
  engine::Buffer<T> gradients;
  bool gradients_valid = false;
  std::optional<engine::Step<T>> forward_step;  // of the last forward by hand
  std::int64_t activation_rows = 0;  // that went through by_hand last; 0: none, or not to the end
  std::vector<std::int64_t> order;
  std::int64_t order_epoch = -1;  // the epoch that `order` is for
  LossSum epoch_losses;           // of the epoch under way, or the last one
  std::chrono::steady_clock::time_point last_poll{};
  std::int64_t kept_epoch = -1;  // the epoch whose beginning the next three hold
  engine::Buffer<T> values_before;
  engine::OptimizerState<T> optimizer_before;
  std::int64_t total_steps_before = 0;
  std::int64_t epochs_before = 0;
  bool kept_trained = false;  // a batch of finite loss was trained on from what is kept
  /// What was kept before that, if training led from there to here without a change from outside:
  /// the way back where the weights that are kept give numbers that are not finite.
  struct Older {
    bool held = false;
    engine::Buffer<T> values;
    engine::OptimizerState<T> optimizer;
    bool no_optimizer = false;  // there was none, whatever the member holds
    std::int64_t total_steps = 0;
    std::int64_t epochs = 0;
  } older;
  std::optional<Statistics> statistics_before;  // the last adaptation
  std::atomic<bool> epoch_under_way{false};     // what was kept at its start is not what there is
  const std::uint64_t number = next_number.fetch_add(1, std::memory_order_relaxed);
  std::atomic<std::uint64_t> interpolated_with{0};  // the number of one that has the same layers
  engine::Occupancy occupancy{
      "the network is in use by another thread or callback; give each thread its own copy"};

  static inline std::atomic<std::uint64_t> next_number{1};  // each has its own

  /// Through the first `count` layers, with a plan of `spares`.
  void infer(std::int64_t count, engine::Spares<ForwardPlan<T>>& spares, const RowsView& x,
             std::int64_t batch_size, int num_threads, T* to, InputSparsity input_sparsity,
             const Callback<void()>& poll);
  /// Of inference, in multiply-adds.
  double work_of_row() const {
    constexpr double of_a_value = 16.0;  // to gather and copy it
    return multiply_adds + of_a_value * static_cast<double>(inputs + outputs);
  }
  void need_gradients();
  std::vector<std::int64_t> normalizations() const;  // the layers of that kind
  Statistics statistics() const;
  void set_statistics(Statistics& statistics) noexcept;
  void adapt(std::int64_t layer, const RowPieces& x);
  /// All or, where one fails, none of them.
  void adapt(const std::vector<std::int64_t>& chosen, const RowPieces& x);
  /// Reuses `slot` when it was compiled for the same, else compiles anew.
  CompiledLoss<T>& compile(std::unique_ptr<CompiledLoss<T>>& slot, const Loss& loss,
                           const engine::PlanOptions& options);
  void check_input(const RowsView& x) const;
  void check_table(const RowsView& x) const;
  /// Throws Error unless the columns that hold categories hold no other numbers.
  void check_categories(const RowsView& x, const std::vector<std::string>& columns = {}) const;
  /// Throws Error where results, `columns` for each row of x, would overwrite x while it is
  /// read; `to` may be null.
  static void check_no_overlap(const RowsView& x, const char* name, const T* to,
                               std::int64_t columns, const char* what = "outputs");
  /// Throws Error when batches of `rows` rows are too small to train a layer.
  void check_batch(std::int64_t rows) const;
  void check_loss(const Loss& loss) const;
  void check_targets(const RowsView& x, const TargetsView& y, const Loss& loss) const;
  /// In a forked child, where the parent's thread that was changing the network is gone.
  void recover();
  void keep_for_divergence();
  /// Goes back to what keep_for_divergence kept, which is used up then. Allocates nothing.
  void restore_after_divergence() noexcept;
  /// Whether a step by hand cannot leave the range of T, whose bounds then move on.
  bool is_safe_step(const kernels::UpdateRule<T>& rule);
  /// Before a step by hand that might leave the range of T, and behind it: goes back and throws
  /// DivergenceError if it has.
  void keep_for_step();
  void check_step();
  /// When the weights or what was trained have changed otherwise.
  void forget_older() {
    kept_trained = false;
    older.held = false;
    step_bounds.forget();
  }
  /// Whether the outputs for all rows are finite, through a plan that has run them.
  bool predicts_finite(engine::Plan<T>& plan, const RowsView& x);
  /// `rows` of the batch went through the plan last; x are the rows of the whole call.
  [[noreturn]] void report_divergence(engine::Plan<T>& plan, const RowsView& x, std::int64_t rows,
                                      std::int64_t epoch, std::int64_t batch, double loss);
};

/// Copies one thread's rows of a tensor into the caller's row-major array, row i to row order[i].
template <class T>
void copy_rows(const engine::Tensor<T>& from, engine::Range rows, engine::RowOrder order, T* to) {
  for (std::int64_t i = rows.begin; i < rows.end; ++i)
    std::copy_n(from.row(i), from.columns, to + order[i] * from.columns);
}

}  // namespace chainrule
