// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
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
             std::int64_t columns, const std::vector<FirstStage<Dual>>& stages)
      : kernels_(kernels),
        x_{nullptr, columns, row_stride<Dual>(columns)},
        memory_(padded<Dual>(options.batch_size) * x_.stride) {
    x_.data = memory_.data();
    if (!stages.empty()) reader_ = dynamic_cast<ReadsRows<Dual>*>(stages[0].stage);
  }

  bool fuses_affine() const { return false; }
  bool lists_first_output() const { return false; }
  bool passes_gradient() const {
    if (other_readers_.empty()) return !reader_ || reader_->passes_gradient();
    return std::any_of(other_readers_.begin(), other_readers_.end(),
                       [](const ReadsRows<Dual>* reader) { return reader->passes_gradient(); });
  }
  void add_reader(ReadsRows<Dual>& reader) { other_readers_.push_back(&reader); }
  const Tensor<Dual>& x() const { return x_; }
  void choose_path(const RowsView&, InputSparsity) {}

  // x: the caller's rows x columns -> x_: rows x columns of dual numbers; each thread its own rows
  void load(ThreadContext& context, const Step<Dual>& step, const RowsView& x, RowOrder order) {
    const ThreadSlice slice = context.slice();
    const Range rows = step.rows_of(slice);
    context.sync_for(Partition::rows);
    for (ReadsRows<Dual>* reader : other_readers_) reader->read(x, order, rows, slice);
    if (reader_) {
      reader_->read(x, order, rows, slice);
    } else {
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
  ReadsRows<Dual>* reader_ = nullptr;
  std::vector<ReadsRows<Dual>*> other_readers_;
};

}  // namespace chainrule::engine
