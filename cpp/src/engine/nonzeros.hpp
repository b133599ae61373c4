// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/buffer.hpp"
#include "engine/stage.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// Which entries of a batch are not zero, as lists for the products that leave the others out.
template <class T>
class Nonzeros {
 public:
  Nonzeros(const kernels::KernelTable<T>& kernels, std::int64_t batch_size, std::int64_t columns,
           bool backward);

  /// Takes down rows of the batch, whole granules or up to its end; by the thread that owns them.
  void mark(const Tensor<T>& x, Range rows);
  /// Lists the first `batch` rows for the gradient of inputs that begin with a whole tile; by the
  /// thread that needs them, after all rows are marked.
  void list_rows(std::int64_t batch, Range inputs);

  const kernels::TermLists& by_rows() const { return by_rows_; }
  const kernels::TermLists& by_inputs() const { return by_inputs_; }

  /// The share of the terms that the lists of so many rows hold, for the forward pass and for the
  /// gradient.
  double forward_share(std::int64_t rows) const;
  double gradient_share(std::int64_t rows) const;

 private:
  const kernels::KernelTable<T>& kernels_;
  std::int64_t columns_;
  std::int64_t words_;
  Buffer<std::uint64_t> bits_;
  Buffer<std::int32_t> row_terms_, row_counts_;      // per tile of rows
  Buffer<std::int32_t> input_terms_, input_counts_;  // per tile of inputs
  kernels::TermLists by_rows_;
  kernels::TermLists by_inputs_;
};

}  // namespace chainrule::engine
