// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/buffer.hpp"
#include "engine/stage.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// Which entries of a table's batch are not zero, a bit each: by row for the forward pass and by
/// column for the gradient of a first layer's weights. The values stay in the table; those of bytes
/// are kept here, as bytes.
template <class T>
class NonzeroMarks {
 public:
  /// `by_column` unless nobody will ask for columns.
  NonzeroMarks(const kernels::KernelTable<T>& kernels, std::int64_t batch_size,
               std::int64_t columns, int threads, bool by_column);

  /// The share of the entries that is not zero, as far as is known before.
  double density() const { return density_; }
  void expect(double density) { density_ = density; }

  /// What each byte stands for, in rows of bytes from now on; null: rows of numbers.
  void expect_bytes(const T* number_of);
  bool of_bytes() const { return number_of_ != nullptr; }

  /// Marks a row, by the thread that owns it.
  void take(std::int64_t row, const T* x);
  void take(std::int64_t row, const std::uint8_t* x);
  /// Turns a thread's share of the columns, when all rows of the batch have been taken.
  void turn(std::int64_t rows, Share share);

  kernels::ByteTable<T> bytes() const { return {bytes_.data(), byte_stride(), number_of_}; }
  const std::uint64_t* rows() const { return by_row_.data(); }
  /// When all threads have turned.
  const std::uint64_t* columns() const { return by_column_.data(); }
  /// How many marks the columns before each have, and all. Every thread adds up for itself, when
  /// all have turned.
  const std::int32_t* begin(Share share);

 private:
  // An odd number of cache lines, so that a column's bytes do not lie in a few sets.
  std::int64_t byte_stride() const { return kernels::kMarksOfWord * (words_ | 1); }

  const kernels::KernelTable<T>& kernels_;
  std::int64_t batch_size_;
  std::int64_t columns_;
  std::int64_t words_;  // of a row
  double density_ = 1.0;
  const T* number_of_ = nullptr;
  Buffer<std::uint8_t> bytes_;
  Buffer<std::uint64_t> by_row_;
  Buffer<std::uint64_t> by_column_;
  Buffer<std::int32_t> counts_;  // by column
  Buffer<std::int32_t> begin_;   // of each thread
};

}  // namespace chainrule::engine
