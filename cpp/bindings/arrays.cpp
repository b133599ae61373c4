// SPDX-License-Identifier: Apache-2.0
#include "bindings/arrays.hpp"

#include <pybind11/stl.h>

#include <algorithm>

#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"

namespace chainrule::bindings {
namespace {

DataType type_of(const py::array& array, const char* name) {
  if (py::isinstance<py::array_t<std::uint8_t>>(array)) return DataType::uint8;
  if (py::isinstance<py::array_t<float>>(array)) return DataType::float32;
  if (py::isinstance<py::array_t<double>>(array)) return DataType::float64;
  if (py::isinstance<py::array_t<std::int32_t>>(array)) return DataType::int32;
  if (py::isinstance<py::array_t<std::int64_t>>(array)) return DataType::int64;
  throw py::type_error(std::string(name) +
                       " must be uint8, int32, int64, float32 or float64, got " +
                       py::str(array.dtype()).cast<std::string>());
}

/// Whether it holds int64; TypeError unless it holds that or int32.
bool is_wide(const py::array& array, const std::string& name) {
  if (py::isinstance<py::array_t<std::int64_t>>(array)) return true;
  if (py::isinstance<py::array_t<std::int32_t>>(array)) return false;
  throw py::type_error(name + " must be int32 or int64, got " +
                       py::str(array.dtype()).cast<std::string>());
}

void check_vector(const py::array& array, const std::string& name) {
  if (array.ndim() == 1 && (array.flags() & py::array::c_style) != 0) return;
  throw py::type_error(name + " must have 1 dimension and lie in one piece");
}

}  // namespace

CompressedRows::CompressedRows(const py::array& data_array, const py::array& index_array,
                               const py::array& offset_array, std::int64_t columns,
                               const std::string& name)
    : data(data_array), indices(index_array), offsets(offset_array) {
  check_vector(data, name + ".data");
  check_vector(indices, name + ".indices");
  check_vector(offsets, name + ".indptr");
  if (offsets.size() < 2) throw py::value_error(name + " has no rows");
  view.data = data.data();
  view.type = type_of(data, (name + ".data").c_str());  // check_compressed refuses some
  view.rows = offsets.size() - 1;
  view.columns = columns;
  view.offsets = offsets.data();
  view.indices = indices.data();
  view.stored = std::min(data.size(), indices.size());
  view.wide_offsets = is_wide(offsets, name + ".indptr");
  view.wide_indices = is_wide(indices, name + ".indices");
  const ReleasedGil release;
  check_compressed(view, name.c_str());
}

RowsView rows_view(const Rows& rows, const char* name) {
  if (const auto* array = std::get_if<py::array>(&rows)) return rows_view(*array, name);
  return std::get<CompressedRows>(rows).view;
}

void init_arrays(py::module_& module) {
  // pybind11 imports NumPy at the first use of an array, for which it gives the lock away in its
  // own manner; that must not be in a thread that the interpreter ends (see gil.hpp).
  (void)py::detail::npy_api::get();
  py::class_<CompressedRows>(module, "CompressedRows",
                             "Compressed sparse rows over arrays that are read in place.")
      .def(py::init<const py::array&, const py::array&, const py::array&, std::int64_t,
                    const std::string&>(),
           py::arg("data"), py::arg("indices"), py::arg("offsets"), py::arg("columns"),
           py::arg("name"))
      .def_readonly("data", &CompressedRows::data)
      .def_readonly("indices", &CompressedRows::indices)
      .def_readonly("offsets", &CompressedRows::offsets)
      .def("__len__", [](const CompressedRows& self) { return self.view.rows; })
      .def_property_readonly("shape",
                             [](const CompressedRows& self) {
                               return py::make_tuple(self.view.rows, self.view.columns);
                             })
      .def_property_readonly(
          "rises", [](const CompressedRows& self) { return has_rising_indices(self.view); },
          "Whether no row has a column twice or out of order.")
      .def(
          "__getitem__",
          [](const CompressedRows& self, const py::slice& rows) {
            py::ssize_t start = 0, stop = 0, step = 0, length = 0;
            if (!rows.compute(self.view.rows, &start, &stop, &step, &length))
              throw py::error_already_set();
            if (step != 1 || length < 1) throw py::index_error("only whole runs of rows");
            CompressedRows part(self);
            part.offsets = self.offsets[py::slice(start, start + length + 1, 1)].cast<py::array>();
            part.view.rows = length;
            part.view.offsets = part.offsets.data();
            return part;
          },
          py::arg("rows"), "Return the rows of a slice, which share this one's memory.");
}

RowsView rows_view(const py::array& array, const char* name) {
  if (array.ndim() != 2) {
    throw py::type_error(std::string(name) + " must have 2 dimensions, got " +
                         std::to_string(array.ndim()));
  }
  return {array.data(),   type_of(array, name), array.shape(0),
          array.shape(1), array.strides(0),     array.strides(1)};
}

TargetsView targets_view(const Rows& y, const std::optional<Weights>& sample_weight,
                         const Weights* class_weight) {
  TargetsView view;
  const auto* array = std::get_if<py::array>(&y);
  if (array && array->ndim() != 2) {
    if (!py::isinstance<Labels>(*array) || array->ndim() > 3)
      throw py::type_error("labels must be contiguous int64");
    view.labels = static_cast<const std::int64_t*>(array->data());
    view.rows = array->shape(0);
    if (array->ndim() == 3) view.label_positions = array->shape(1) * array->shape(2);
  } else {
    view.values = rows_view(y, "y");
    view.rows = view.values.rows;
  }
  if (sample_weight) {
    if (sample_weight->ndim() == 2) view.weight_positions = sample_weight->shape(1);
    if (sample_weight->size() != view.rows * view.weight_positions) {
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

namespace {

Rows single(const RowsOrList& rows) {
  if (const auto* array = std::get_if<py::array>(&rows)) return *array;
  return std::get<CompressedRows>(rows);
}

}  // namespace

InputViews::InputViews(const RowsOrList& x, const char* name) {
  const auto* list = std::get_if<std::vector<Rows>>(&x);
  if (!list) {
    views_.push_back(rows_view(single(x), name));
    return;
  }
  for (const Rows& rows : *list) views_.push_back(rows_view(rows, name));
}

TargetViews::TargetViews(const RowsOrList& y, const std::optional<Weights>& sample_weight,
                         const std::optional<ClassWeights>& class_weight) {
  const auto* alone = class_weight ? std::get_if<Weights>(&*class_weight) : nullptr;
  const auto* list = std::get_if<std::vector<Rows>>(&y);
  if (!list) {
    views_.push_back(targets_view(single(y), sample_weight, alone));
    return;
  }
  const auto* each =
      class_weight ? std::get_if<std::vector<std::optional<Weights>>>(&*class_weight) : nullptr;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const bool weighted = each && i < each->size() && (*each)[i];
    views_.push_back(targets_view((*list)[i], sample_weight, weighted ? &*(*each)[i] : alone));
  }
}

LossList::LossList(const py::object& loss, const std::optional<std::vector<double>>& weights) {
  if (py::isinstance<Loss>(loss) && !weights) {
    single_ = loss.cast<const Loss*>();
    return;
  }
  list_ = py::isinstance<Loss>(loss) ? std::vector<Loss>{loss.cast<Loss>()}
                                     : loss.cast<std::vector<Loss>>();
  weights_ = weights.value_or(std::vector<double>(list_.size(), 1.0));
  if (weights_.size() != list_.size())
    throw py::value_error("loss_weights has " + std::to_string(weights_.size()) + " entries for " +
                          std::to_string(list_.size()) + " losses");
}

}  // namespace chainrule::bindings
