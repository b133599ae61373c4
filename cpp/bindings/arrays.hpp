// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/numpy.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "chainrule/data.hpp"
#include "chainrule/loss.hpp"

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

/// Rows for an only input or output, or a list of them.
using RowsOrList = std::variant<py::array, CompressedRows, std::vector<Rows>>;

/// The same as views, for as long as the arrays live.
class InputViews {
 public:
  InputViews(const RowsOrList& x, const char* name);
  operator Inputs() const { return views_; }
  std::vector<RowsView> views() && { return std::move(views_); }
  std::int64_t rows() const { return views_.empty() ? 0 : views_.front().rows; }

 private:
  std::vector<RowsView> views_;
};

using ClassWeights = std::variant<Weights, std::vector<std::optional<Weights>>>;

/// Int64 labels, (rows,) or (rows, positions, 1), or rows of values, with optional weights of rows
/// or positions.
TargetsView targets_view(const Rows& y, const std::optional<Weights>& sample_weight,
                         const Weights* class_weight);

/// For each output one-dimensional int64 labels or rows of values, with optional weights.
class TargetViews {
 public:
  TargetViews(const RowsOrList& y, const std::optional<Weights>& sample_weight,
              const std::optional<ClassWeights>& class_weight);
  operator Targets() const { return views_; }
  std::vector<TargetsView> views() && { return std::move(views_); }

 private:
  std::vector<TargetsView> views_;
};

/// A loss, or a list of them with their weights.
class LossList {
 public:
  LossList(const py::object& loss, const std::optional<std::vector<double>>& weights);
  operator Losses() const { return single_ ? Losses(*single_) : Losses(list_, weights_); }

 private:
  const Loss* single_ = nullptr;
  std::vector<Loss> list_;
  std::vector<double> weights_;
};

template <class T>
using Values = py::array_t<T, py::array::c_style>;

/// Throws where outputs are given but not of this shape.
template <class T>
void check_outputs(const std::optional<Values<T>>& outputs, std::int64_t rows,
                   std::int64_t columns) {
  if (outputs &&
      (outputs->ndim() != 2 || outputs->shape(0) != rows || outputs->shape(1) != columns)) {
    throw py::value_error("outputs must have shape (" + std::to_string(rows) + ", " +
                          std::to_string(columns) + ")");
  }
}

}  // namespace chainrule::bindings
