// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/buffer.hpp"
#include "engine/stage.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// Which entries of a table's batch are not zero, a bit each: by row for the forward pass and by
/// column for the gradient of a first layer's weights. The values stay in the table.
template <class T>
class NonzeroMarks {
 public:
  /// `by_column` unless nobody will ask for columns.
  NonzeroMarks(const kernels::KernelTable<T>& kernels, std::int64_t batch_size,
               std::int64_t columns, int threads, bool by_column);

  /// The share of the entries that is not zero, as far as is known before.
  double density() const { return density_; }
  void expect(double density) { density_ = density; }

  /// Marks a row, by the thread that owns it.
  void take(std::int64_t row, const T* x);
  /// Turns a thread's share of the columns, when all rows of the batch have been taken.
  void turn(std::int64_t rows, Share share);

  const std::uint64_t* rows() const { return by_row_.data(); }
  /// When all threads have turned.
  const std::uint64_t* columns() const { return by_column_.data(); }
  /// How many marks the columns before each have, and all. Every thread adds up for itself, when
  /// all have turned.
  const std::int32_t* begin(Share share);

 private:
  const kernels::KernelTable<T>& kernels_;
  std::int64_t columns_;
  std::int64_t words_;  // of a row
  double density_ = 1.0;
  Buffer<std::uint64_t> by_row_;
  Buffer<std::uint64_t> by_column_;
  Buffer<std::int32_t> counts_;  // by column
  Buffer<std::int32_t> begin_;   // of each thread
};

}  // namespace chainrule::engine
