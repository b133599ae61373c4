// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "chainrule/data.hpp"
#include "engine/input/compressed_rows.hpp"
#include "engine/input/row_order.hpp"
#include "engine/threads/thread_context.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// Bytes of a number.
constexpr std::int64_t size_of(DataType type) {
  if (type == DataType::uint8) return 1;
  return type == DataType::float32 || type == DataType::int32 ? 4 : 8;
}

/// Whether it holds numbers that float rounds.
constexpr bool has_more_digits(DataType type) {
  return type != DataType::uint8 && type != DataType::float32;
}

/// Calls visit(S()) for the type S of the numbers.
template <class Visit>
auto with_type(DataType type, Visit visit) {
  if (type == DataType::uint8) return visit(std::uint8_t());
  if (type == DataType::float32) return visit(float());
  if (type == DataType::int32) return visit(std::int32_t());
  if (type == DataType::int64) return visit(std::int64_t());
  return visit(double());
}

/// The number in a row and column, whose type S is that of `source`.
template <class S>
S number_at(const RowsView& source, std::int64_t row, std::int64_t column) {
  S value;
  std::memcpy(&value,
              static_cast<const char*>(source.data) + row * source.row_stride +
                  column * source.column_stride,
              sizeof(value));
  return value;
}

/// The first `rows` rows of `order`, converted to T and, when `scale` is given, times scale plus
/// offset by column, some of them in double.
// source: any rows x columns, scale, offset: columns, y: rows x columns
template <class T>
void gather_rows(const kernels::KernelTable<T>& kernels, const RowsView& source, RowOrder order,
                 std::int64_t rows, const T* scale, const T* offset, T* y, std::int64_t stride,
                 std::span<const kernels::WideColumn> wide = {}) {
  kernels.gather({source.type, source.data, source.row_stride, source.column_stride, order.order,
                  order.first, rows, source.columns, scale, offset, y, stride, wide.data(),
                  static_cast<std::int64_t>(wide.size())});
}

/// A batch's rows in `rows`, for stages to prefetch; none where the columns are not adjacent.
inline kernels::PrefetchCursor prefetch_cursor(const RowsView& source, RowOrder order, Range rows) {
  const std::int64_t size = size_of(source.type);
  const std::int64_t count = source.column_stride == size ? rows.size() : 0;
  const std::int64_t begin = order.first + rows.begin;
  return {static_cast<const char*>(source.data),
          source.row_stride,
          source.columns * size,
          order.order,
          begin,
          begin + count,
          0};
}

/// Prefetches a row some iterations ahead of row i, for loops whose rows lie scattered in memory.
inline void prefetch_row(const RowsView& source, RowOrder order, std::int64_t i, Range rows) {
  constexpr std::int64_t distance = 8;
  if (i + distance >= rows.end || source.column_stride != size_of(source.type)) return;
  const char* const begin =
      static_cast<const char*>(source.data) + order[i + distance] * source.row_stride;
  const char* const end = begin + source.columns * source.column_stride;
  for (const char* line = begin; line < end; line += 64) __builtin_prefetch(line);
}

/// A number of any rows as a double; of 64-bit integers beyond 2^53 rounded.
inline double value_at(const RowsView& source, std::int64_t row, std::int64_t column) {
  if (source.compressed()) return stored_at(source, row, column);
  return with_type(source.type, [&]<class S>(S) {
    return static_cast<double>(number_at<S>(source, row, column));
  });
}

}  // namespace chainrule::engine
