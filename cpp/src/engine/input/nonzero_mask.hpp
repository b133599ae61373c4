// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/buffer.hpp"
#include "engine/threads/thread_context.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// The nonzero mask of a table's batch, a bit for each entry: by row for the forward pass and by
/// column for the gradient of a first layer's weights. The values stay in the table; those of bytes
/// are kept here, as bytes.
template <class T>
class NonzeroMask {
 public:
  /// `by_column` where columns() will be called.
  NonzeroMask(const kernels::KernelTable<T>& kernels, std::int64_t batch_size, std::int64_t columns,
              int threads, bool by_column);

  /// The fraction of nonzeros, as far as is known before.
  double density() const { return density_; }
  void set_density(double density) { density_ = density; }

  /// What each byte stands for, in rows of bytes from now on; null: rows of numbers.
  void set_byte_values(const T* values);
  bool has_bytes() const { return byte_values_ != nullptr; }

  /// Writes a row's mask; called by the thread that owns the row.
  void take(std::int64_t row, const T* x);
  void take(std::int64_t row, const std::uint8_t* x);
  /// Transposes a thread's slice of the columns, when all rows of the batch have been taken.
  void transpose(std::int64_t rows, ThreadSlice slice);

  kernels::ByteTable<T> bytes() const { return {bytes_.data(), byte_stride(), byte_values_}; }
  const std::uint64_t* rows() const { return by_row_.data(); }
  /// Valid after all threads have called transpose.
  const std::uint64_t* columns() const { return by_column_.data(); }
  /// How many nonzeros the columns before each have, and all. Every thread adds up for itself,
  /// after all have called transpose.
  const std::int32_t* begin(ThreadSlice slice);

 private:
  // An odd number of cache lines, so that a column's bytes do not lie in a few sets.
  std::int64_t byte_stride() const { return kernels::kBitsPerWord * (words_ | 1); }

  const kernels::KernelTable<T>& kernels_;
  std::int64_t batch_size_;
  std::int64_t columns_;
  std::int64_t words_;  // of a row
  double density_ = 1.0;
  const T* byte_values_ = nullptr;
  Buffer<std::uint8_t> bytes_;
  Buffer<std::uint64_t> by_row_;
  Buffer<std::uint64_t> by_column_;
  Buffer<std::int32_t> counts_;  // by column
  Buffer<std::int32_t> begin_;   // of each thread
};

}  // namespace chainrule::engine
