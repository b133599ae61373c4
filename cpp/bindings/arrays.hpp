// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/numpy.h>

#include <optional>
#include <string>
#include <variant>

#include "chainrule/data.hpp"

namespace chainrule::bindings {

namespace py = pybind11;

using Labels = py::array_t<std::int64_t, py::array::c_style>;
using Weights = py::array_t<double, py::array::c_style>;

/// Reads the array where it lies; TypeError for other than two dimensions of uint8, int32, int64,
/// float32 or float64.
RowsView rows_view(const py::array& array, const char* name);

/// Compressed sparse rows over arrays of the caller's, which it keeps alive.
struct CompressedRows {
  py::array data, indices, offsets;
  RowsView view;

  /// ValueError for offsets or indices out of range, TypeError for other types of numbers.
  CompressedRows(const py::array& data, const py::array& indices, const py::array& offsets,
                 std::int64_t columns, const std::string& name);
};

/// What functions that read rows take.
using Rows = std::variant<py::array, CompressedRows>;
RowsView rows_view(const Rows& rows, const char* name);

/// One-dimensional int64 labels or rows of values, with optional weights.
TargetsView targets_view(const Rows& y, const std::optional<Weights>& sample_weight,
                         const std::optional<Weights>& class_weight);

}  // namespace chainrule::bindings
