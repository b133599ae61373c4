// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

#include "chainrule/data.hpp"
#include "engine/compressed_rows.hpp"
#include "engine/stage.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

static_assert(static_cast<int>(DataType::float64) ==
              static_cast<int>(kernels::SourceType::float64));

/// Rows [first, first + rows) of `order` (null: of `source` itself), converted to T and, when
/// `scale` is given, times scale plus offset by column.
template <class T>
void gather_rows(const kernels::KernelTable<T>& kernels, const RowsView& source,
                 const std::int64_t* order, std::int64_t first, std::int64_t rows, const T* scale,
                 const T* offset, T* y, std::int64_t stride) {
  kernels.gather({static_cast<kernels::SourceType>(source.type), source.data, source.row_stride,
                  source.column_stride, order, first, rows, source.columns, scale, offset, y,
                  stride});
}

/// Rows [first + rows.begin, first + rows.end) of `order`, for stages to fetch ahead; none where
/// the columns are not adjacent.
inline kernels::UpcomingRows upcoming_rows(const RowsView& source, const std::int64_t* order,
                                           std::int64_t first, Range rows) {
  const std::int64_t size = source.type == DataType::uint8     ? 1
                            : source.type == DataType::float32 ? 4
                                                               : 8;
  const std::int64_t count = source.column_stride == size ? rows.size() : 0;
  const std::int64_t begin = first + rows.begin;
  return {static_cast<const char*>(source.data),
          source.row_stride,
          source.columns * size,
          order,
          begin,
          begin + count,
          0};
}

inline double value_at(const RowsView& source, std::int64_t row, std::int64_t column) {
  if (source.compressed()) return stored_at(source, row, column);
  const char* p = static_cast<const char*>(source.data) + row * source.row_stride +
                  column * source.column_stride;
  if (source.type == DataType::uint8) return *reinterpret_cast<const std::uint8_t*>(p);
  if (source.type == DataType::float32) {
    float value;
    std::memcpy(&value, p, sizeof(value));
    return static_cast<double>(value);
  }
  double value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

}  // namespace chainrule::engine
