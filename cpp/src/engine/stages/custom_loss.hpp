// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "chainrule/custom_loss.hpp"
#include "chainrule/data.hpp"
#include "engine/buffer.hpp"
#include "engine/function_calls.hpp"
#include "engine/input/row_order.hpp"
#include "engine/stages/stage.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// A batch's rows side by side, as a custom loss reads them, and what it makes of them.
template <class T>
class CustomLossRows {
 public:
  /// `shape`: of a row of the outputs.
  CustomLossRows(const CustomLoss& function, const Shape& shape, std::int64_t batch_size);

  /// Takes memory for the targets of a run, before the team starts.
  void prepare(const TargetsView& y);

  /// Calls the function for a batch whose row i is row order[i] of y. Where outputs are not finite
  /// it is not called, and the losses are NaN; where it throws all is 0. For one thread, behind the
  /// forward pass of all.
  void run(FunctionCalls& calls, const kernels::KernelTable<T>& kernels, std::int64_t rows,
           const TargetsView& y, RowOrder order, const Tensor<T>& z, bool gradients);

  const T* losses() const { return losses_.data(); }
  /// rows x columns of the outputs
  const T* gradients() const { return gradients_.data(); }

 private:
  void gather_targets(const kernels::KernelTable<T>& kernels, std::int64_t rows,
                      const TargetsView& y, RowOrder order);
  void check(std::int64_t rows, RowOrder order, bool gradients) const;

  CustomLoss function_;
  Shape shape_;
  std::int64_t batch_size_;
  Buffer<T> outputs_, losses_, gradients_;
  Buffer<T> targets_;  // rows x target columns, padded while they are gathered
  Buffer<std::int64_t> labels_;
};

}  // namespace chainrule::engine
