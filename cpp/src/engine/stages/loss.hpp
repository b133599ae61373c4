// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "chainrule/data.hpp"
#include "chainrule/loss.hpp"
#include "engine/buffer.hpp"
#include "engine/input/row_order.hpp"
#include "engine/stages/custom_loss.hpp"
#include "engine/stages/stage.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// A mean of losses by weights, under way. Both sums are relative to a power of two near the
/// largest weight of the targets (LossStage::weight_unit).
struct MeanLoss {
  double sum = 0.0;
  double weight = 0.0;

  void add(const MeanLoss& more) {
    sum += more.sum;
    weight += more.weight;
  }
  double value() const { return weight > 0.0 ? sum / weight : 0.0; }
};

/// A loss made ready for a batch size: gathers the targets of a batch and runs the loss kernel over
/// a thread's rows, or on the first thread a function of the caller's over all rows.
template <class T>
class LossStage {
 public:
  /// `weight`: of this loss among those of all outputs, for the gradient. `shape`: of a row of the
  /// outputs. `calls` outlives the stage.
  LossStage(const kernels::KernelTable<T>& kernels, const Loss& loss, double weight,
            const Shape& shape, std::int64_t batch_size, FunctionCalls& calls);

  /// Throws Error when the targets do not fit the loss and the outputs.
  static void check(const Loss& loss, const TargetsView& y, const Shape& outputs);

  /// Takes over what the whole run shares; before the team starts. The gradients of a batch are
  /// those of its mean loss, or with `of_all_rows` its part of the gradients of the mean over all.
  void prepare(const TargetsView& y, bool of_all_rows = false);

  /// For a batch whose row i is row order[i] of y: this thread's part of the losses and, if `dz`
  /// has data, of the gradient.
  void run(const Step<T>& step, ThreadContext& context, const TargetsView& y, RowOrder order,
           const Tensor<T>& z, const Tensor<T>& dz);

  /// What the batch of the last run, of `rows` rows, adds to the mean: for the first thread, after
  /// all have run.
  MeanLoss mean(std::int64_t rows) const;
  /// What the weights in the sums are divided by; fixed since `prepare`.
  double weight_unit() const { return 1.0 / (sample_scale_ * class_scale_); }
  /// Whether the losses of these rows of the batch are finite; for the thread that owns them.
  bool finite(Range rows) const;

 private:
  /// The weights of a batch: their sum, and a power of two that brings the largest near 1.
  struct BatchWeights {
    double sum = 0.0;
    double scale = 1.0;
  };

  /// Every thread adds up the weights of the whole batch for itself, in the order of the rows: all
  /// find the same, and none waits.
  BatchWeights weigh(const TargetsView& y, RowOrder order, std::int64_t rows) const;
  /// The weights of one position of a row of y, times their powers of two.
  double sample_weight(const TargetsView& y, std::int64_t row, std::int64_t position) const;
  double class_weight(const TargetsView& y, std::int64_t row, std::int64_t position) const;
  /// All rows on the first thread, between two barriers.
  void run_custom(const Step<T>& step, ThreadContext& context, const TargetsView& y, RowOrder order,
                  const Tensor<T>& z, const Tensor<T>& dz);
  /// Converts the targets of these rows of the batch to T, a row of values_ for each position.
  void gather_values(const TargetsView& y, RowOrder order, Range rows);

  const kernels::KernelTable<T>& kernels_;
  FunctionCalls& calls_;
  Loss loss_;
  std::optional<CustomLossRows<T>> custom_;
  double weight_;
  std::int64_t positions_;  // of a row, each with a loss of its own
  std::int64_t outputs_;    // at a position
  std::int64_t target_columns_;
  Buffer<std::int32_t> labels_;
  Buffer<T> narrow_;  // quantile: targets before each is repeated for its quantiles
  Buffer<T> values_;
  Buffer<T> sample_weights_;
  Buffer<T> class_weights_;
  Buffer<T> quantiles_;
  Buffer<T> row_losses_;
  // Powers of two that bring the largest weights near 1: the bits are the same, but no product or
  // sum of weights leaves the range of a double, nor of T.
  double sample_scale_ = 1.0;
  double class_scale_ = 1.0;
  std::optional<double> weight_of_all_;  // rows, where gradients are those of the mean over all
  BatchWeights last_;                    // of the batch that ran last; the first thread's
};

}  // namespace chainrule::engine
