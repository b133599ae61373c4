// SPDX-License-Identifier: Apache-2.0
#include "chainrule/data.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

#include "chainrule/error.hpp"
#include "chainrule/names.hpp"

namespace chainrule {
namespace {

/// Calls visit(index) for the type of the indices, beginning with the first of a row.
template <class Visit>
auto with_indices(const RowsView& x, Visit visit) {
  return x.wide_indices ? visit(static_cast<const std::int64_t*>(x.indices))
                        : visit(static_cast<const std::int32_t*>(x.indices));
}

template <class S>
RowsView whole_rows(std::span<const S> values, std::int64_t columns) {
  const auto size = static_cast<std::int64_t>(values.size());
  if (columns < 1 || size % columns != 0) {
    throw Error("values has " + std::to_string(size) + " entries, which are no whole number of " +
                "rows of " + std::to_string(columns));
  }
  return view(values.data(), size / columns, columns);
}

}  // namespace

void check_compressed(const RowsView& x, const char* name) {
  if (x.type == DataType::int32 || x.type == DataType::int64)
    throw Error(std::string(name) +
                ": values of compressed rows must be uint8, float32 or float64");
  if (offset_at(x, 0) < 0) {
    throw Error(std::string(name) + ": the offsets of compressed rows begin with " +
                std::to_string(offset_at(x, 0)) + ", expected 0 or more");
  }
  with_indices(x, [&](const auto* indices) {
    // Each offset is read once, as a caller's other threads may change them.
    std::int64_t next = offset_at(x, 0);
    if (next < 0) next = x.stored;
    for (std::int64_t i = 0; i < x.rows; ++i) {
      const std::int64_t begin = next;
      const std::int64_t end = offset_at(x, i + 1);
      if (end < begin || end > x.stored) {
        throw Error(std::string(name) + ": row " + std::to_string(i) + " ends at offset " +
                    std::to_string(end) + ", expected " + std::to_string(begin) + " to " +
                    std::to_string(x.stored));
      }
      next = end;
      for (std::int64_t at = begin; at < end; ++at) {
        const std::int64_t column = indices[at];
        if (column >= 0 && column < x.columns) continue;
        throw Error(std::string(name) + ": row " + std::to_string(i) + " has column index " +
                    std::to_string(column) + ", expected 0 to " + std::to_string(x.columns - 1));
      }
    }
  });
}

bool has_rising_indices(const RowsView& x) {
  return with_indices(x, [&](const auto* indices) {
    for (std::int64_t i = 0; i < x.rows; ++i) {
      const std::int64_t end = std::min(offset_at(x, i + 1), x.stored);
      for (std::int64_t at = std::max<std::int64_t>(offset_at(x, i), 0) + 1; at < end; ++at) {
        if (indices[at] <= indices[at - 1]) return false;
      }
    }
    return true;
  });
}

RowsView view(std::span<const float> values, std::int64_t columns) {
  return whole_rows(values, columns);
}
RowsView view(std::span<const double> values, std::int64_t columns) {
  return whole_rows(values, columns);
}
RowsView view(std::span<const std::uint8_t> values, std::int64_t columns) {
  return whole_rows(values, columns);
}
RowsView view(std::span<const std::int32_t> values, std::int64_t columns) {
  return whole_rows(values, columns);
}
RowsView view(std::span<const std::int64_t> values, std::int64_t columns) {
  return whole_rows(values, columns);
}

TargetsView labels(std::span<const std::int64_t> classes, std::int64_t positions) {
  TargetsView y;
  y.labels = classes.data();
  y.label_positions = positions;
  y.rows = static_cast<std::int64_t>(classes.size());
  if (positions < 1 || y.rows % positions != 0)
    throw Error(std::to_string(y.rows) + " labels are no whole rows of " +
                std::to_string(positions) + " positions");
  y.rows /= positions;
  return y;
}

TargetsView targets(const RowsView& values) {
  TargetsView y;
  y.values = values;
  y.rows = values.rows;
  return y;
}

InputSparsity input_sparsity(std::string_view name) {
  if (name == "auto") return InputSparsity::automatic;
  if (name == "dense") return InputSparsity::dense;
  if (name == "sparse") return InputSparsity::sparse;
  throw Error(unknown_name("input_sparsity", name, {"auto", "dense", "sparse"}));
}

bool overlaps(const RowsView& x, const void* begin, const void* end) {
  using Address = std::uintptr_t;
  const auto from = reinterpret_cast<Address>(begin);
  const auto to = reinterpret_cast<Address>(end);
  const auto meets = [&](Address first, Address last) { return first < to && from < last; };
  const auto start = reinterpret_cast<Address>(x.data);
  const auto entry = x.type == DataType::uint8                                  ? Address{1}
                     : x.type == DataType::float32 || x.type == DataType::int32 ? Address{4}
                                                                                : Address{8};
  if (x.compressed()) {
    const auto length = [](bool wide, std::int64_t n) {
      return static_cast<Address>(n) * (wide ? 8 : 4);
    };
    const auto offsets = reinterpret_cast<Address>(x.offsets);
    const auto indices = reinterpret_cast<Address>(x.indices);
    return meets(start, start + static_cast<Address>(x.stored) * entry) ||
           meets(offsets, offsets + length(x.wide_offsets, x.rows + 1)) ||
           meets(indices, indices + length(x.wide_indices, x.stored));
  }
  if (x.rows < 1 || x.columns < 1) return false;
  // Strides may be negative; unsigned sums wrap to the right address.
  const std::int64_t down = (x.rows - 1) * x.row_stride;
  const std::int64_t along = (x.columns - 1) * x.column_stride;
  const std::int64_t zero = 0;
  const auto first = start + static_cast<Address>(std::min(down, zero) + std::min(along, zero));
  const auto last = start + static_cast<Address>(std::max(down, zero) + std::max(along, zero));
  return meets(first, last + entry);
}

}  // namespace chainrule
