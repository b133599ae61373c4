// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "chainrule/data.hpp"
#include "engine/input/row_order.hpp"

namespace chainrule::engine {

/// The same for values of type V, with indices of 32 or 64 bits.
template <class V, class Visit>
void with_indices_of(const RowsView& x, Visit visit) {
  const auto* values = static_cast<const V*>(x.data);
  x.wide_indices ? visit(values, static_cast<const std::int64_t*>(x.indices))
                 : visit(values, static_cast<const std::int32_t*>(x.indices));
}

/// Calls visit(values, indices) with the pointers of compressed rows, in their types.
template <class Visit>
void with_types(const RowsView& x, Visit visit) {
  if (x.type == DataType::uint8) return with_indices_of<std::uint8_t>(x, visit);
  if (x.type == DataType::float32) return with_indices_of<float>(x, visit);
  with_indices_of<double>(x, visit);
}

/// An entry of arrays that a caller's other threads may change meanwhile: read once, so that what
/// has been checked is what is used.
template <class V>
V read_once(const V* values, std::int64_t at) {
  return __atomic_load_n(values + at, __ATOMIC_RELAXED);
}

/// Where a row's stored values begin and end, within what is there whatever the offsets say.
struct StoredRange {
  StoredRange(const RowsView& x, std::int64_t row)
      : begin(std::clamp<std::int64_t>(offset_at(x, row), 0, x.stored)),
        end(std::clamp<std::int64_t>(offset_at(x, row + 1), begin, x.stored)) {}

  std::int64_t begin;
  std::int64_t end;
};

// source: compressed rows x columns, y: rows x columns at a stride. Columns out of range are left
// out.
template <class T>
void expand_rows(const RowsView& source, RowOrder order, std::int64_t rows, T* y,
                 std::int64_t stride) {
  with_types(source, [&](const auto* values, const auto* indices) {
    for (std::int64_t i = 0; i < rows; ++i) {
      const StoredRange stored(source, order[i]);
      std::fill_n(y + i * stride, source.columns, T(0));
      for (std::int64_t at = stored.begin; at < stored.end; ++at) {
        const std::int64_t column = read_once(indices, at);
        if (column >= 0 && column < source.columns)
          y[i * stride + column] = static_cast<T>(values[at]);
      }
    }
  });
}

/// What compressed rows hold in one place, 0 where nothing is stored.
inline double stored_at(const RowsView& source, std::int64_t row, std::int64_t column) {
  double found = 0.0;
  const StoredRange stored(source, row);
  with_types(source, [&](const auto* values, const auto* indices) {
    for (std::int64_t at = stored.begin; at < stored.end; ++at)
      if (indices[at] == column) found = static_cast<double>(values[at]);
  });
  return found;
}

}  // namespace chainrule::engine
