// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/buffer.hpp"
#include "engine/norm.hpp"
#include "engine/stages/stage.hpp"

namespace chainrule::engine {

/// The gradient of a bias that is added to all positions: db = sum over the rows of dy, in order.
template <class T>
class BiasGradient {
 public:
  /// bias: null for none.
  BiasGradient(const kernels::KernelTable<T>& kernels, const Parameter* bias, bool is_trained)
      : kernels_(kernels),
        bias_(bias),
        sums_(bias && is_trained ? padded<T>(bias->shape.columns) : 0) {}

  // dy: (rows of the batch x positions) x columns; a thread owns columns. Blocks of the batch's
  // rows come in their order.
  void add(Range rows, ThreadSlice slice, const Tensor<T>& dy) {
    const Range columns = columns_of(slice);
    if (columns.size() == 0) return;
    kernels_.column_sums(dy.row(rows.begin * dy.positions), dy.stride, rows.size() * dy.positions,
                         columns.begin, columns.end, sums_.data(), rows.begin > 0);
  }

  /// The 2-norm of db.
  double norm() const {
    double sum = 0.0;
    for (std::int64_t j = 0; bias_ && j < bias_->shape.columns; ++j)
      sum += double{sums_.data()[j]} * double{sums_.data()[j]};
    return norm_from<T>(sum, sums_.size());
  }

  void store(const Step<T>& step, ThreadSlice slice) const {
    const Range columns = columns_of(slice);
    if (columns.size() == 0) return;
    store_or_apply_gradient(step, *bias_, columns.begin, sums_.data() + columns.begin,
                            columns.size());
  }

 private:
  Range columns_of(ThreadSlice slice) const {
    return slice.range(sums_.size(), kernels::kRowAlignment<T>);
  }

  const kernels::KernelTable<T>& kernels_;
  const Parameter* bias_;
  Buffer<T> sums_;
};

}  // namespace chainrule::engine
