// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "chainrule/data.hpp"

namespace chainrule::engine {

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

/// Compressed rows [first, first + rows) of `order` (null: of `source` itself), zeros and all.
template <class T>
void expand_rows(const RowsView& source, const std::int64_t* order, std::int64_t first,
                 std::int64_t rows, T* y, std::int64_t stride) {
  with_types(source, [&](const auto* values, const auto* indices) {
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t row = order ? order[first + i] : first + i;
      std::fill_n(y + i * stride, source.columns, T(0));
      for (std::int64_t at = offset_at(source, row); at < offset_at(source, row + 1); ++at)
        y[i * stride + indices[at]] = static_cast<T>(values[at]);
    }
  });
}

/// What compressed rows hold in one place, 0 where nothing is stored.
inline double stored_at(const RowsView& source, std::int64_t row, std::int64_t column) {
  double found = 0.0;
  with_types(source, [&](const auto* values, const auto* indices) {
    for (std::int64_t at = offset_at(source, row); at < offset_at(source, row + 1); ++at)
      if (indices[at] == column) found = static_cast<double>(values[at]);
  });
  return found;
}

}  // namespace chainrule::engine
