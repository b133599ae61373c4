// SPDX-License-Identifier: Apache-2.0
#include "bindings/arrays.hpp"

namespace chainrule::bindings {

RowsView rows_view(const py::array& array, const char* name) {
  if (array.ndim() != 2) {
    throw py::type_error(std::string(name) + " must have 2 dimensions, got " +
                         std::to_string(array.ndim()));
  }
  RowsView view{array.data(),   DataType::float32, array.shape(0),
                array.shape(1), array.strides(0),  array.strides(1)};
  if (py::isinstance<py::array_t<std::uint8_t>>(array)) {
    view.type = DataType::uint8;
  } else if (py::isinstance<py::array_t<double>>(array)) {
    view.type = DataType::float64;
  } else if (!py::isinstance<py::array_t<float>>(array)) {
    throw py::type_error(std::string(name) + " must be uint8, float32 or float64, got " +
                         py::str(array.dtype()).cast<std::string>());
  }
  return view;
}

TargetsView targets_view(const py::array& y, const std::optional<Weights>& sample_weight,
                         const std::optional<Weights>& class_weight) {
  TargetsView view;
  if (y.ndim() == 1) {
    if (!py::isinstance<Labels>(y)) throw py::type_error("labels must be contiguous int64");
    view.labels = static_cast<const std::int64_t*>(y.data());
    view.rows = y.shape(0);
  } else {
    view.values = rows_view(y, "y");
    view.rows = view.values.rows;
  }
  if (sample_weight) {
    if (sample_weight->size() != view.rows) {
      throw py::value_error("sample_weight has " + std::to_string(sample_weight->size()) +
                            " entries for " + std::to_string(view.rows) + " rows");
    }
    view.sample_weights = sample_weight->data();
  }
  if (class_weight) {
    view.class_weights = class_weight->data();
    view.classes = class_weight->size();
  }
  return view;
}

}  // namespace chainrule::bindings
