// SPDX-License-Identifier: Apache-2.0
// The first number of the caller's data that is not finite.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/network.hpp"
#include "engine/all_finite.hpp"
#include "engine/input/column_text.hpp"
#include "engine/input/compressed_rows.hpp"
#include "engine/input/gather.hpp"
#include "engine/instantiate.hpp"
#include "model/number_text.hpp"

namespace chainrule {
namespace {

/// Whether all numbers of a row are finite as numbers of T, at any stride.
template <class T>
bool row_is_finite(const RowsView& x, std::int64_t row) {
  bool finite = true;
  for (std::int64_t j = 0; j < x.columns; ++j) {
    finite &= std::isfinite(static_cast<T>(engine::value_at(x, row, j)));
  }
  return finite;
}

/// The same of adjacent numbers of type S, in a loop that vectorises.
template <class T, class S>
bool packed_row_is_finite(const RowsView& x, std::int64_t row) {
  const char* values = static_cast<const char*>(x.data) + row * x.row_stride;
  return engine::all_finite<T>(x.columns, [values](std::int64_t column) {
    S value;
    std::memcpy(&value, values + column * static_cast<std::int64_t>(sizeof(S)), sizeof(S));
    return static_cast<T>(value);
  });
}

/// A finite double may be infinite as a float, which the text then says.
[[noreturn]] void throw_not_finite(const char* name, const std::vector<std::string>& columns,
                                   std::int64_t row, std::int64_t column, double value) {
  const std::string what = std::isnan(value) ? "NaN"
                           : std::isinf(value)
                               ? "infinite"
                               : model::number_text(value) + ", too large for float32";
  throw Error(std::string(name) + " must be finite; row " + std::to_string(row) + ", column " +
              engine::column_text(columns, column) + " is " + what);
}

/// The stored values of compressed rows, as one row of a table.
template <class T>
void check_stored_values(const RowsView& x, const char* name,
                         const std::vector<std::string>& columns) {
  const std::int64_t size = x.type == DataType::float32 ? 4 : 8;
  const RowsView values{x.data, x.type, 1, x.stored, x.stored * size, size};
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const engine::StoredRange stored(x, i);
    for (std::int64_t at = stored.begin; at < stored.end; ++at) {
      const double v = engine::value_at(values, 0, at);
      if (std::isfinite(static_cast<T>(v))) continue;
      const std::int64_t column = x.wide_indices ? static_cast<const std::int64_t*>(x.indices)[at]
                                                 : static_cast<const std::int32_t*>(x.indices)[at];
      throw_not_finite(name, columns, i, column, v);
    }
  }
}

}  // namespace

// x: rows x columns, missing: which columns may hold NaN; empty: none. Integers are finite. A row
// is looked at as a whole, and number by number only where something is wrong with it.
template <class T>
void check_finite(const RowsView& x, const char* name, const std::vector<std::string>& columns,
                  const std::vector<bool>& missing) {
  if (x.type != DataType::float32 && x.type != DataType::float64) return;
  if (x.compressed()) {
    check_stored_values<T>(x, name, columns);
    return;
  }
  const auto fits = [&](std::int64_t i, std::int64_t j) {
    const double v = engine::value_at(x, i, j);
    return std::isfinite(static_cast<T>(v)) ||
           (std::isnan(v) && !missing.empty() && missing[static_cast<std::size_t>(j)]);
  };
  const bool single = x.type == DataType::float32;
  const bool packed = x.column_stride == (single ? 4 : 8);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const bool finite = !packed  ? row_is_finite<T>(x, i)
                        : single ? packed_row_is_finite<T, float>(x, i)
                                 : packed_row_is_finite<T, double>(x, i);
    if (finite) continue;
    for (std::int64_t j = 0; j < x.columns; ++j)
      if (!fits(i, j)) throw_not_finite(name, columns, i, j, engine::value_at(x, i, j));
  }
}

template <class T>
void check_finite(const TargetsView& y, const char* name, const std::vector<std::string>& columns) {
  if (!y.labels) check_finite<T>(y.values, name, columns);
}

#define CHAINRULE_MEMBERS(T)                                                                   \
  template void check_finite<T>(const RowsView&, const char*, const std::vector<std::string>&, \
                                const std::vector<bool>&);                                     \
  template void check_finite<T>(const TargetsView&, const char*, const std::vector<std::string>&);
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule
