// SPDX-License-Identifier: Apache-2.0
#include <pybind11/stl.h>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "chainrule/augmentation.hpp"
#include "chainrule/names.hpp"
#include "chainrule/network.hpp"
#include "chainrule/random.hpp"

namespace chainrule::bindings {
namespace {

template <class T>
using Matrix = py::array_t<T, py::array::c_style>;

template <class T>
void check_matrix(const Matrix<T>& outputs) {
  if (outputs.ndim() != 2) {
    throw py::type_error("outputs must have 2 dimensions, got " + std::to_string(outputs.ndim()));
  }
}

template <class T>
void init_precision(py::module_& module) {
  module.def(
      "loss_and_gradient",
      [](const Loss& loss, const Matrix<T>& outputs, const py::array& y,
         const std::optional<Weights>& sample_weight, const std::optional<Weights>& class_weight) {
        check_matrix(outputs);
        const TargetsView targets =
            targets_view(y, sample_weight, class_weight ? &*class_weight : nullptr);
        Matrix<T> gradient({outputs.shape(0), outputs.shape(1)});
        const double value = loss_and_gradient(loss, outputs.data(), outputs.shape(0),
                                               outputs.shape(1), targets, gradient.mutable_data());
        return py::make_tuple(value, gradient);
      },
      py::arg("loss"), py::arg("outputs").noconvert(), py::arg("y"),
      py::arg("sample_weight") = py::none(), py::arg("class_weight") = py::none());
  module.def(
      "augment_images",
      [](const Augmentations& augmentations, const py::array& x,
         const std::vector<std::int64_t>& shape, std::uint64_t seed, std::int64_t epoch,
         std::int64_t first_row, Matrix<T>& out) {
        const RowsView rows = rows_view(x, "x");
        if (out.ndim() != 2 || out.shape(0) != rows.rows || out.shape(1) != rows.columns)
          throw py::value_error("out must have the shape of x");
        T* const y = out.mutable_data();
        const ReleasedGil release;
        augment_images(augmentations, rows, Shape(shape), seed, epoch, y, first_row);
      },
      py::arg("augmentations"), py::arg("x"), py::arg("shape"), py::arg("seed"), py::arg("epoch"),
      py::arg("first_row"), py::arg("out").noconvert());
  module.def(
      "apply_link",
      [](const Loss& loss, Matrix<T>& outputs) {
        check_matrix(outputs);
        apply_link(loss, outputs.mutable_data(), outputs.shape(0), outputs.shape(1));
      },
      py::arg("loss"), py::arg("outputs").noconvert());
  module.def(
      "apply_inverse_link",
      [](const Loss& loss, Matrix<T>& predictions) {
        check_matrix(predictions);
        apply_inverse_link(loss, predictions.mutable_data(), predictions.shape(0),
                           predictions.shape(1));
      },
      py::arg("loss"), py::arg("predictions").noconvert());
}

}  // namespace

void init_functions(py::module_& module) {
  init_precision<float>(module);
  init_precision<double>(module);
  module.def(
      "first_wrong_label",
      [](const Labels& labels, std::int64_t classes) {
        const ReleasedGil release;
        return first_wrong_label(labels.data(), labels.size(), classes);
      },
      py::arg("labels").noconvert(), py::arg("classes"),
      "Return the row of the first label that is none of 0 to classes - 1, -1 without one.");
  module.def(
      "check_targets",
      [](const Rows& y, const Loss& loss, const std::string& name, bool single,
         const std::vector<std::string>& columns) {
        const TargetsView view = targets(rows_view(y, name.c_str()));
        const ReleasedGil release;
        single ? check_targets<float>(view, loss, name.c_str(), columns)
               : check_targets<double>(view, loss, name.c_str(), columns);
      },
      py::arg("y"), py::arg("loss"), py::arg("name"), py::arg("single"), py::arg("columns"));
  module.def(
      "shuffled_order",
      [](std::int64_t rows, std::uint64_t seed, std::uint64_t epoch) {
        py::array_t<std::int64_t> order(rows);
        shuffled_order(order.mutable_data(), rows, seed, epoch);
        return order;
      },
      py::arg("rows"), py::arg("seed"), py::arg("epoch"),
      "Return the order in which the epoch, counted from 0, visits the rows.");
  module.def("nearest_name", &nearest_name, py::arg("given"), py::arg("valid"),
             "Return the valid name that was probably meant; an empty text if none is near.");
  module.def(
      "fma_peak",
      [](const std::string& dtype, double seconds, int num_threads) {
        if (dtype != "float32" && dtype != "float64")
          throw py::value_error("dtype must be 'float32' or 'float64', got '" + dtype + "'");
        const ReleasedGil release;
        return 1e-9 * (dtype == "float32" ? fma_peak<float>(seconds, num_threads)
                                          : fma_peak<double>(seconds, num_threads));
      },
      py::arg("dtype"), py::arg("seconds"), py::arg("num_threads") = 0,
      "Return the most Gflop/s that the threads can do with the instruction set in use.");
  module.def(
      "copy_rate",
      [](std::int64_t nbytes, double seconds, int num_threads) {
        const ReleasedGil release;
        return 1e-9 * copy_rate(nbytes, seconds, num_threads);
      },
      py::arg("nbytes"), py::arg("seconds"), py::arg("num_threads") = 0,
      "Return the GB/s read and written by copies within a working set of `bytes` bytes.");
  module.def("default_num_threads", &default_num_threads);
  module.def("instruction_set", &instruction_set);
  module.def("instruction_sets", &instruction_sets);
  module.def("threading_layer", &threading_layer);
  module.def("threading_layers", &threading_layers);
}

}  // namespace chainrule::bindings
