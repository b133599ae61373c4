// SPDX-License-Identifier: Apache-2.0
// What a Network holds, shared by the files that implement its members.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "chainrule/augmentation.hpp"
#include "chainrule/error.hpp"
#include "chainrule/network.hpp"
#include "engine/backprop_session.hpp"
#include "engine/compiled_loss.hpp"
#include "engine/copy_rows.hpp"
#include "engine/inference/inference_session.hpp"
#include "engine/input/row_order.hpp"
#include "engine/optimizer/optimizer_state.hpp"
#include "engine/parameters.hpp"
#include "engine/threads/occupancy.hpp"
#include "engine/training_session.hpp"
#include "kernels/dispatch.hpp"

namespace chainrule {

class Normalization;
class PiecewiseLinearEmbedding;

template <class T>
struct Network<T>::State {
  State(Graph graph_, std::uint64_t seed_, InitialValues values);
  State(const State& other);

  // The network, and how far it is trained: what a copy takes over.
  Graph graph;
  const std::vector<AnyLayer> layers;  // of its nodes
  const std::int64_t inputs;           // columns of all inputs
  const std::int64_t outputs;          // columns of all outputs
  std::uint64_t seed;
  double multiply_adds;  // of one row forward
  const kernels::KernelTable<T>& kernels;
  engine::Parameters<T> parameters;
  std::vector<ParameterInfo> infos;
  engine::OptimizerState<T> optimizer;
  std::int64_t total_steps = 0;
  std::int64_t epochs = 0;
  std::vector<std::int64_t> unadapted;                   // layers whose statistics no data gave yet
  std::vector<std::vector<std::string>> feature_names;   // of each input; empty: none
  std::vector<std::vector<std::string>> class_names;     // of each output; likewise
  std::vector<std::vector<std::string>> category_names;  // of each column of x
  std::vector<std::vector<std::int64_t>> category_orders;  // their codes sorted by name
  const std::vector<std::int64_t> categories;  // of each column of x; empty where none has any
  const std::vector<std::vector<std::int64_t>> input_categories;  // the same of each input
  const std::vector<std::vector<bool>> missing_columns;  // of each input, see engine's of that name

  // What is done with it. A session is made anew where it is needed.
  TrainingSession<T> training;
  BackpropSession<T> backprop;
  StoredGradients<T> gradients;  // of either
  InferenceSession<T> inference;

  /// What adaptation changes.
  struct Statistics {
    std::vector<std::int64_t> unadapted;
    std::vector<T> values;           // means and variances
    std::vector<double> exact_mean;  // see Parameters
  };
  std::optional<Statistics> statistics_before;  // the last adaptation

  /// Identifies the network for `interpolate`, since an address may be used again.
  const std::uint64_t number = next_number.fetch_add(1, std::memory_order_relaxed);
  std::atomic<std::uint64_t> interpolated_with{0};  // the number of one that has the same layers
  engine::Occupancy occupancy{
      "the network is in use by another thread or callback; give each thread its own copy"};

  static inline std::atomic<std::uint64_t> next_number{1};  // each has its own

  /// What a node gives, or with -1 all outputs, with a plan of `spares`.
  void infer(std::int64_t node, engine::Spares<ForwardPlan<T>>& spares, const Inputs& x,
             std::int64_t batch_size, int num_threads, T* to, InputSparsity input_sparsity,
             const Callback<void()>& poll);
  /// What inference costs for a row, in multiply-adds.
  double work_of_row() const {
    constexpr double of_a_value = 16.0;  // to gather and copy it
    return multiply_adds + of_a_value * static_cast<double>(inputs + outputs);
  }
  std::vector<std::int64_t> adapting() const;  // the layers that take statistics from data
  Statistics statistics() const;
  void set_statistics(Statistics& statistics) noexcept;
  void adapt(std::int64_t layer, const RowPieces& x, std::span<const std::int64_t> rows);
  class LayerRows;
  void adapt(const Normalization& layer, LayerRows& x);
  void adapt(const PiecewiseLinearEmbedding& layer, LayerRows& x);
  /// All or, where one fails, none of them.
  void adapt(const std::vector<std::int64_t>& chosen, const RowPieces& x,
             std::span<const std::int64_t> rows = {});
  /// Reuses `slot` when it was compiled for the same, else compiles anew.
  CompiledLoss<T>& compile(std::unique_ptr<CompiledLoss<T>>& slot, const Losses& losses,
                           const engine::PlanOptions& options);
  void check_input(const Inputs& x) const;
  void check_table(const Inputs& x) const;
  /// Throws Error unless the columns that hold categories, or lengths, hold no other numbers.
  void check_categories(const Inputs& x, const std::vector<std::string>& columns = {}) const;
  /// Throws Error where results, `columns` for each row of x or `rows` times as many, would
  /// overwrite x, or numbers of y, while these are read; `to` may be null.
  static void check_no_overlap(const RowsView& x, const char* name, const T* to,
                               std::int64_t columns, const char* what = "outputs");
  void check_no_overlap(const Inputs& x, const T* to, std::int64_t columns,
                        const char* what = "outputs") const;
  void check_no_overlap(const Inputs& x, const Targets& y, const T* to, std::int64_t rows,
                        std::int64_t columns, const char* what = "outputs") const;
  /// What an input is called in errors: x where it is the only one; y so for an output.
  std::string input_name(std::size_t input) const;
  std::string output_name(std::size_t output) const;
  /// See Network::check_augment.
  void check_augment(const Inputs& x, const Augmentations& augmentations) const;
  /// Throws Error when batches of `rows` rows are too small to train a layer.
  void check_batch(std::int64_t rows) const;
  /// Throws Error unless there is a loss for each output that goes with it; the same with x and y.
  void check_loss(const Losses& losses) const;
  void check_targets(const Inputs& x, const Targets& y, const Losses& losses) const;
  /// In a forked child, where the parent's thread that was changing the network is gone.
  void recover();
  /// In memory that TrainingSession::make_room has taken.
  void keep_for_divergence();
  /// Goes back to what keep_for_divergence kept, which is used up then. Allocates nothing.
  void restore_after_divergence() noexcept;
  /// Keeps what the passes of a training step change, running statistics; allocates nothing but in
  /// the first call. Behind it: puts them back into an arena of parameters.
  void keep_statistics();
  void put_statistics(engine::Buffer<T>& arena) const noexcept;
  bool statistics_finite() const;
  /// Undoes what a step has changed before anything was kept: running statistics, and an
  /// optimizer's state that was replaced.
  void undo_passes() noexcept;
  /// The penalties of all parameters, for StepBounds.
  engine::Penalties penalties() const;
  /// Whether a step by hand cannot leave the range of T, whose bounds then move on.
  bool is_safe_step(const kernels::UpdateRule<T>& rule,
                    std::span<const kernels::UpdateRule<T>> group_rules);
  /// Before a step by hand that might leave the range of T, and behind it: goes back and throws
  /// DivergenceError if it has.
  void keep_for_step();
  void check_step();
  /// To be called when the weights, or what was trained, have changed otherwise.
  void forget_older() {
    training.forget_older();
    backprop.step_bounds.forget();
  }
  /// To be called when the weights have changed other than by training.
  void forget_passes() {
    forget_older();
    backprop.forward_step.reset();
  }
  /// Whether the outputs for all rows are finite, through a plan that has run them.
  bool predicts_finite(engine::Plan<T>& plan, const Inputs& x, engine::RowList list);
  /// Goes back to what was kept, if the weights were before they changed, and throws. `rows` of the
  /// batch went through the plan last; `list` of x are the rows of the whole call.
  [[noreturn]] void report_divergence(engine::Plan<T>& plan, const Inputs& x, engine::RowList list,
                                      std::int64_t rows, std::int64_t epoch, std::int64_t batch,
                                      double loss, bool weights_kept);

  class EpochRun;    // one call of run_epoch, or
  class EpochParts;  // one in several of these
};

}  // namespace chainrule
