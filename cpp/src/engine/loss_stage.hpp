// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "chainrule/data.hpp"
#include "chainrule/loss.hpp"
#include "engine/buffer.hpp"
#include "engine/stage.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// A loss made ready for a batch size: gathers the targets of a batch and runs the loss kernel over
/// a thread's rows.
template <class T>
class LossStage {
 public:
  LossStage(const kernels::KernelTable<T>& kernels, const Loss& loss, std::int64_t outputs,
            std::int64_t batch_size);

  /// Throws Error when the targets do not fit the loss and the outputs.
  static void check(const Loss& loss, const TargetsView& y, std::int64_t outputs);

  /// Takes over what the whole run shares; before the team starts.
  void prepare(const TargetsView& y);

  /// For rows [first, first + step.rows) of `order` (null: of y itself): this thread's part of the
  /// losses and, if `dz` has data, of the gradient.
  void run(const Step<T>& step, Share share, const TargetsView& y, const std::int64_t* order,
           std::int64_t first, const Tensor<T>& z, const Tensor<T>& dz);

  /// After all threads have run: the batch's summed weighted loss, and the sum of its weights.
  double sum(std::int64_t rows) const {
    return static_cast<double>(kernels_.tree_sum(row_losses_.data(), rows));
  }
  double weight(const TargetsView& y, const std::int64_t* order, std::int64_t first,
                std::int64_t rows) const;
  bool finite(Range rows) const;

 private:
  double row_weight(const TargetsView& y, std::int64_t row) const;
  double label_weight(const TargetsView& y, std::int64_t row) const;
  void gather_values(const TargetsView& y, const std::int64_t* order, std::int64_t first,
                     Range rows);

  const kernels::KernelTable<T>& kernels_;
  Loss loss_;
  std::int64_t outputs_;
  std::int64_t target_columns_;
  Buffer<std::int32_t> labels_;
  Buffer<T> narrow_;  // quantile: targets before each is repeated for its quantiles
  Buffer<T> values_;
  Buffer<T> row_weights_;
  Buffer<T> class_weights_;
  Buffer<T> quantiles_;
  Buffer<T> row_losses_;
};

}  // namespace chainrule::engine
