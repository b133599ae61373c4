// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "chainrule/data.hpp"
#include "engine/buffer.hpp"
#include "engine/input/row_order.hpp"
#include "engine/threads/thread_context.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// Where the entries of one row lie.
template <class T>
struct EntriesOfRow {
  std::int32_t* columns;
  T* values;
};

/// The nonzeros of a batch, by row for the forward pass and by column for the
/// gradient of a first layer's weights.
template <class T>
class SparseInput {
 public:
  /// Room for `entries` entries in all; `by_column` where columns() will be called.
  SparseInput(const kernels::KernelTable<T>& kernels, std::int64_t batch_size, std::int64_t columns,
              std::int64_t entries, int threads, bool by_column);

  /// Where compressed rows begin, and end: a copy, which stays as it is checked here whatever
  /// becomes of the caller's. Throws Error for what no longer fits.
  static std::vector<std::int64_t> offsets_of(const RowsView& x);
  /// The room that a batch of such rows may need in whatever order they come.
  static std::int64_t entries_of_compressed(const std::vector<std::int64_t>& offsets,
                                            std::int64_t batch_size);

  /// The fraction of nonzeros, as far as is known before.
  double density() const { return density_; }
  void set_density(double density) { density_ = density; }

  bool has_room(std::int64_t entries) const { return entries <= entries_; }
  /// To be called before rows are taken that begin at these offsets.
  void set_row_offsets(std::vector<std::int64_t> offsets) {
    offsets_.swap(offsets);
    changed_ = false;
  }
  /// Whether column indices that are out of range, or do not rise, have come since, which only rows
  /// have that were changed after they had been checked. They were left out.
  bool changed() const { return changed_; }

  /// Takes rows of a batch whose row i is row order[i] of compressed rows, times `scale` by column
  /// if given; called by the thread that owns them.
  void take(const RowsView& x, RowOrder order, Range rows, const T* scale);
  /// Begins a row at the offset `at`, for its owner to fill: columns and values, and kNoColumn
  /// behind the last.
  EntriesOfRow<T> begin_row(std::int64_t row, std::int64_t at) {
    begin_.data()[row] = at;
    return {columns_.data() + at, values_.data() + at};
  }
  /// Counts what a thread took, as preparation of `transpose`.
  void count(Range rows, ThreadSlice slice);
  /// Lists a thread's slice of the rows by column; after all threads have called count.
  void transpose(Range rows, ThreadSlice slice);

  kernels::SparseRows<T> rows() const { return {columns_.data(), values_.data(), begin_.data()}; }
  /// Valid after all threads have called transpose.
  kernels::SparseColumns<T> columns() const {
    return {transposed_rows_.data(), transposed_values_.data(), transposed_offsets_.data()};
  }
  std::int64_t width() const { return width_; }
  /// The 2-norm of the first `rows` rows, rounded up.
  double norm(std::int64_t rows) const;
  /// Workspace of a thread for the products: one position a row.
  std::int64_t* positions(ThreadSlice slice) {
    return positions_.data() + slice.index * batch_size_;
  }

 private:
  static std::int64_t checked_entries(std::int64_t batch_size, std::int64_t columns,
                                      std::int64_t entries);

  const kernels::KernelTable<T>& kernels_;
  std::int64_t batch_size_;
  std::int64_t width_;
  std::int64_t entries_;
  double density_ = 0.0;
  std::vector<std::int64_t> offsets_;
  bool changed_ = false;  // by any of the threads that take
  Buffer<std::int32_t> columns_;
  Buffer<T> values_;
  Buffer<std::int64_t> begin_;
  Buffer<std::int64_t> positions_;
  Buffer<std::int32_t> counts_;  // of each thread's rows, by column
  Buffer<std::int32_t> next_;    // where each thread puts its next entry of a column
  Buffer<std::int32_t> transposed_rows_;
  Buffer<T> transposed_values_;
  Buffer<std::int32_t> transposed_offsets_;
};

}  // namespace chainrule::engine
