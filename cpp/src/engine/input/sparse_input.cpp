// SPDX-License-Identifier: Apache-2.0
// Lists of nonzeros, first by row and then, for the gradient, by column:
//
//   columns_, values_           row 0: c c c end | row 1: c c end | ...
//   begin_                      where each row begins
//   counts_                     (threads x columns) nonzeros of each thread's rows
//   transposed_rows_, _values_  column 0: r r | column 1: r r r | ...
//   transposed_offsets_         where each column begins, and the end
//
// The second is a counting sort. In each column the entries of thread 0 come first, then those of
// thread 1, so rows rise whatever the number of threads, and sums have one order.
#include "engine/input/sparse_input.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "engine/input/compressed_rows.hpp"
#include "engine/instantiate.hpp"
#include "engine/norm.hpp"

namespace chainrule::engine {

using kernels::kNoColumn;

/// Before anything is allocated: throws Error for more entries than 32 bits can count.
template <class T>
std::int64_t SparseInput<T>::checked_entries(std::int64_t batch_size, std::int64_t columns,
                                             std::int64_t entries) {
  if (entries > std::numeric_limits<std::int32_t>::max() - kernels::kPrefetchDistance ||
      columns >= kNoColumn) {
    throw Error("a batch of " + std::to_string(batch_size) + " rows has room for " +
                std::to_string(entries) + " entries in " + std::to_string(columns) +
                " columns, which is more than 2^31: use a smaller batch_size");
  }
  return entries;
}

// Behind the entries there are kPrefetchDistance more that kernels may read, and prefetch for.
template <class T>
SparseInput<T>::SparseInput(const kernels::KernelTable<T>& kernels, std::int64_t batch_size,
                            std::int64_t columns, std::int64_t entries, int threads, bool by_column)
    : kernels_(kernels),
      batch_size_(batch_size),
      width_(columns),
      entries_(checked_entries(batch_size, columns, entries)),
      columns_(entries + kernels::kPrefetchDistance),
      values_(entries + kernels::kPrefetchDistance),
      begin_(batch_size),
      positions_(batch_size * threads) {
  if (!by_column) return;
  counts_ = Buffer<std::int32_t>(columns * threads);
  next_ = Buffer<std::int32_t>(columns * threads);
  transposed_rows_ = Buffer<std::int32_t>(entries);
  transposed_values_ = Buffer<T>(entries);
  transposed_offsets_ = Buffer<std::int32_t>(columns + 1);
}

// x.rows + 1 offsets, which must rise and stay within the stored values.
template <class T>
std::vector<std::int64_t> SparseInput<T>::offsets_of(const RowsView& x) {
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(x.rows) + 1);
  std::int64_t last = 0;
  for (std::int64_t i = 0; i <= x.rows; ++i) {
    const std::int64_t offset = offset_at(x, i);
    if (offset < last || offset > x.stored)
      throw Error("the offsets of compressed rows were changed: that of row " + std::to_string(i) +
                  " is " + std::to_string(offset) + ", expected " + std::to_string(last) + " to " +
                  std::to_string(x.stored));
    offsets[static_cast<std::size_t>(i)] = last = offset;
  }
  return offsets;
}

// The sum of the `batch_size` longest rows, with an end for each.
template <class T>
std::int64_t SparseInput<T>::entries_of_compressed(const std::vector<std::int64_t>& offsets,
                                                   std::int64_t batch_size) {
  std::vector<std::int64_t> lengths(offsets.size());
  std::adjacent_difference(offsets.begin(), offsets.end(), lengths.begin());
  lengths.front() = 0;  // was the first offset
  const auto rows = static_cast<std::int64_t>(offsets.size()) - 1;
  const auto largest = lengths.begin() + std::min(batch_size, rows);
  std::nth_element(lengths.begin(), largest, lengths.end(), std::greater<>());
  return std::accumulate(lengths.begin(), largest, batch_size);  // and the ends of the rows
}

// Rows of the batch become lists: for row i from begin_[i] on, columns_ and values_ up to an end
// with column kNoColumn. Offsets in the batch follow from those of the caller's rows, so every
// thread finds its place without waiting for others.
template <class T>
void SparseInput<T>::take(const RowsView& x, RowOrder order, Range rows, const T* scale) {
  const std::int64_t* const offsets = offsets_.data();
  std::int64_t at = 0;
  for (std::int64_t i = 0; i < rows.begin; ++i) at += offsets[order[i] + 1] - offsets[order[i]] + 1;
  bool changed = false;
  with_types(x, [&](const auto* values, const auto* indices) {
    for (std::int64_t i = rows.begin; i < rows.end; ++i) {
      begin_.data()[i] = at;
      std::int64_t last = -1;
      const std::int64_t end = offsets[order[i] + 1];
      changed |= offset_at(x, order[i]) != offsets[order[i]] || offset_at(x, order[i] + 1) != end;
      for (std::int64_t stored = offsets[order[i]]; stored < end; ++stored) {
        const std::int64_t column = read_once(indices, stored);
        if (column <= last || column >= width_) {
          changed = true;
          continue;
        }
        last = column;
        const auto value = static_cast<T>(values[stored]);
        columns_.data()[at] = static_cast<std::int32_t>(column);
        values_.data()[at] = scale ? value * scale[column] : value;
        at += values_.data()[at] != T(0);  // so that a zero that is stored is one
      }
      columns_.data()[at++] = kNoColumn;
    }
  });
  if (changed) __atomic_store_n(&changed_, true, __ATOMIC_RELAXED);
}

// counts_(thread, column) = entries of the column in the thread's rows. The first of two steps of
// the counting sort by columns; the other one needs the counts of all threads.
template <class T>
void SparseInput<T>::count(Range rows, ThreadSlice slice) {
  std::int32_t* counts = counts_.data() + width_ * slice.index;
  std::fill_n(counts, width_, 0);
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    for (std::int64_t at = begin_.data()[i]; columns_.data()[at] != kNoColumn; ++at)
      ++counts[columns_.data()[at]];
  }
}

// transposed_(column) = the entries of the column, by rising rows. The thread's entries begin
// behind those of the columns before and of the threads before it: next_(thread, column) = sum of
// counts of lower columns + counts of this column in lower threads. Each thread works that out for
// itself; the first also writes the offsets.
template <class T>
void SparseInput<T>::transpose(Range rows, ThreadSlice slice) {
  std::int32_t* next = next_.data() + width_ * slice.index;
  std::int32_t* begin = slice.index == 0 ? transposed_offsets_.data() : nullptr;
  std::int32_t sum = 0;
  const auto add_up = [&](std::int64_t column) {
    if (begin) begin[column] = sum;
    for (int t = 0; t < slice.count; ++t) {
      if (t == slice.index) next[column] = sum;
      sum += counts_.data()[width_ * t + column];
    }
  };
  // Most columns of wide tables have no entries.
  constexpr std::int64_t together = 8;
  std::int64_t j = 0;
  for (; j + together <= width_; j += together) {
    std::int32_t counted = 0;
    for (int t = 0; t < slice.count; ++t) {
      const std::int32_t* counts = counts_.data() + width_ * t + j;
      for (std::int64_t i = 0; i < together; ++i) counted |= counts[i];
    }
    if (counted != 0) {
      for (std::int64_t i = 0; i < together; ++i) add_up(j + i);
    } else if (begin) {
      std::fill_n(begin + j, together, sum);
    }
  }
  for (; j < width_; ++j) add_up(j);
  if (begin) begin[width_] = sum;
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    for (std::int64_t at = begin_.data()[i]; columns_.data()[at] != kNoColumn; ++at) {
      const std::int32_t place = next[columns_.data()[at]]++;
      transposed_rows_.data()[place] = static_cast<std::int32_t>(i);
      transposed_values_.data()[place] = values_.data()[at];
    }
  }
}

// sqrt(sum of squares) in double, by one thread
template <class T>
double SparseInput<T>::norm(std::int64_t rows) const {
  double sum = 0.0;
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t at = begin_.data()[i]; columns_.data()[at] != kNoColumn; ++at, ++count)
      sum += double{values_.data()[at]} * double{values_.data()[at]};
  }
  return norm_from<T>(sum, count);
}

#define CHAINRULE_MEMBERS(T) template class SparseInput<T>;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule::engine
