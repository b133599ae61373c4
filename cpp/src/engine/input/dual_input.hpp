// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/input/batch_input.hpp"
#include "engine/input/gather.hpp"
#include "kernels/dual.hpp"

namespace chainrule {

/// The values of dual numbers as a table.
inline RowsView view(const kernels::Dual* data, std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t size = sizeof(kernels::Dual);
  return {data, DataType::float64, rows, columns, columns * size, size};
}

}  // namespace chainrule

namespace chainrule::engine {

/// Rows on their way into a plan of dual numbers: always whole rows of a table, without tangents.
template <>
class BatchInput<kernels::Dual> {
 public:
  using Dual = kernels::Dual;

  BatchInput(const kernels::KernelTable<Dual>& kernels, const PlanOptions& options,
             std::int64_t columns, const std::vector<Stage<Dual>*>& readers,
             const std::vector<FirstStage<Dual>>&)
      : kernels_(kernels),
        x_{nullptr, columns, row_stride<Dual>(columns)},
        memory_(padded<Dual>(options.batch_size) * x_.stride) {
    x_.data = memory_.data();
    for (Stage<Dual>* stage : readers) {
      auto* reads = dynamic_cast<ReadsRows<Dual>*>(stage);
      if (reads) readers_.push_back(reads);
      gathers_ |= !reads;
      passes_gradient_ |= !reads || reads->passes_gradient();
    }
  }

  bool fuses_affine() const { return false; }
  bool lists_first_output() const { return false; }
  bool passes_gradient() const { return passes_gradient_; }
  const Tensor<Dual>& x() const { return x_; }
  void augment(const Node&, std::size_t) {}
  void choose_path(const RowsView&, InputSparsity) {}

  // x: the caller's rows x columns -> x_: rows x columns of dual numbers; each thread its own rows
  void load(ThreadContext& context, const Step<Dual>& step, const RowsView& x, RowOrder order) {
    const ThreadSlice slice = context.slice();
    const Range rows = step.rows_of(slice);
    context.sync_for(Partition::rows);
    for (ReadsRows<Dual>* reads : readers_) reads->read(x, order, rows, slice);
    if (gathers_) {
      gather_rows<Dual>(kernels_, x, order.after(rows.begin), rows.size(), nullptr, nullptr,
                        x_.row(rows.begin), x_.stride);
    }
  }

  bool feeds(const Stage<Dual>&) const { return false; }
  void sync_for(ThreadContext& context, Partition partition) const { context.sync_for(partition); }
  void transpose(const Step<Dual>&, ThreadSlice) {}
  bool can_skip_barrier(int) const { return false; }

 private:
  const kernels::KernelTable<Dual>& kernels_;
  Tensor<Dual> x_;
  Buffer<Dual> memory_;
  std::vector<ReadsRows<Dual>*> readers_;
  bool gathers_ = false;  // for other stages
  bool passes_gradient_ = false;
};

}  // namespace chainrule::engine
