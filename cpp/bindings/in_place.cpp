// SPDX-License-Identifier: Apache-2.0
// Calls with arrays that the core can use as they are: NumPy's own, of types and layouts that it
// reads where they lie, with numbers that it takes. To convert other arguments, or to refuse them,
// takes longer than a small network takes to run; for these the functions here change nothing and
// say so, and what converts and refuses comes after them.
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "bindings/network.hpp"
#include "chainrule/error.hpp"
#include "chainrule/network.hpp"

namespace chainrule::bindings {
namespace {

using NumPy = py::detail::npy_api;

bool has_flags(const py::array& array, int flags) { return (array.flags() & flags) == flags; }

/// The object where it is exactly NumPy's own array, aligned and in the machine's byte order.
std::optional<py::array> plain_array(py::handle object) {
  if (Py_TYPE(object.ptr()) != NumPy::get().PyArray_Type_) return std::nullopt;
  auto array = py::reinterpret_borrow<py::array>(object);
  const char order = array.dtype().byteorder();
  if ((order != '=' && order != '|') || !has_flags(array, NumPy::NPY_ARRAY_ALIGNED_))
    return std::nullopt;
  return array;
}

std::optional<DataType> type_read_in_place(int number) {
  if (number == py::dtype::num_of<float>()) return DataType::float32;
  if (number == py::dtype::num_of<double>()) return DataType::float64;
  if (number == py::dtype::num_of<std::uint8_t>()) return DataType::uint8;
  if (number == py::dtype::num_of<std::int32_t>()) return DataType::int32;
  if (number == py::dtype::num_of<std::int64_t>()) return DataType::int64;
  return std::nullopt;
}

enum class Flat { refused, is_row, is_column };

/// A table with rows and columns; `flat` tells what one dimension is.
std::optional<RowsView> plain_table(py::handle object, Flat flat = Flat::refused) {
  const std::optional<py::array> array = plain_array(object);
  if (!array) return std::nullopt;
  const std::optional<DataType> type = type_read_in_place(array->dtype().num());
  if (!type) return std::nullopt;
  RowsView rows{array->data(), *type, 1, 1, 0, 0};
  if (array->ndim() == 2) {
    rows.rows = array->shape(0);
    rows.columns = array->shape(1);
    rows.row_stride = array->strides(0);
    rows.column_stride = array->strides(1);
  } else if (array->ndim() == 1 && flat == Flat::is_row) {
    rows.columns = array->shape(0);
    rows.column_stride = array->strides(0);
  } else if (array->ndim() == 1 && flat == Flat::is_column) {
    rows.rows = array->shape(0);
    rows.row_stride = array->strides(0);
  } else {
    return std::nullopt;
  }
  if (rows.rows < 1 || rows.columns < 1) return std::nullopt;
  return rows;
}

/// The rows where they are for an only input that has as many columns.
template <class T>
std::optional<RowsView> plain_input(const Network<T>& self, py::handle x,
                                    Flat flat = Flat::refused) {
  std::optional<RowsView> rows = plain_table(x, flat);
  if (rows && (rows->columns != self.inputs() || self.graph().inputs().size() > 1)) rows.reset();
  return rows;
}

/// The targets where they are for an only output that is one row of columns.
template <class T>
std::optional<TargetsView> plain_targets(const Network<T>& self, py::handle y, const Loss& loss) {
  const Graph& graph = self.graph();
  if (loss.kind == Loss::Kind::custom || graph.outputs().size() > 1 ||
      graph.node(graph.outputs().front()).shape.rank() > 1)
    return std::nullopt;
  if (loss.takes_labels() && py::isinstance<py::array>(y) &&
      py::reinterpret_borrow<py::array>(y).ndim() == 1) {
    const std::optional<py::array> labels = plain_array(y);
    if (!labels || labels->size() == 0 ||
        labels->dtype().num() != py::dtype::num_of<std::int64_t>() ||
        !has_flags(*labels, NumPy::NPY_ARRAY_C_CONTIGUOUS_))
      return std::nullopt;
    TargetsView view;
    view.labels = static_cast<const std::int64_t*>(labels->data());
    view.rows = labels->shape(0);
    return view;
  }
  const std::optional<RowsView> values = plain_table(y, Flat::is_column);
  // Integers but bytes become floating-point numbers first; one column could be labels.
  if (!values || values->type == DataType::int32 || values->type == DataType::int64 ||
      (loss.takes_labels() && values->columns == 1))
    return std::nullopt;
  return targets(*values);
}

/// Whether all numbers are such as the network and the loss take. Called without the lock.
template <class T>
bool takes_numbers(const Network<T>& self, const RowsView& x) {
  try {
    self.check_takes(x);
    check_finite<T>(x, "x", {}, self.missing_columns());
    return true;
  } catch (const Error&) {
    return false;
  }
}

template <class T>
bool takes_numbers(const Network<T>& self, const RowsView& x, const TargetsView& y,
                   const Loss& loss) {
  if (x.rows != y.rows) return false;
  try {
    self.check_loss(loss);
    if (y.labels) {
      if (first_wrong_label(y.labels, y.rows, self.outputs()) >= 0) return false;
    } else {
      if (y.values.columns != loss.target_columns(self.outputs())) return false;
      check_targets<T>(y, loss, "y");
    }
  } catch (const Error&) {
    return false;
  }
  return takes_numbers(self, x);
}

template <class T>
bool takes_in_place(const Network<T>& self, py::handle x) {
  const std::optional<RowsView> rows = plain_input(self, x);
  if (!rows) return false;
  const ReleasedGil release;
  return takes_numbers(self, *rows);
}

template <class T>
bool takes_targets_in_place(const Network<T>& self, py::handle x, py::handle y, const Loss& loss) {
  const std::optional<RowsView> rows = plain_input(self, x);
  const std::optional<TargetsView> targets =
      rows ? plain_targets(self, y, loss) : std::optional<TargetsView>();
  if (!targets) return false;
  const ReleasedGil release;
  return takes_numbers(self, *rows, *targets, loss);
}

/// A step on one batch, and its loss before the step; None where it cannot be taken in place.
template <class T>
py::object train_in_place(Network<T>& self, py::handle x, py::handle y, const Loss& loss,
                          const Optimizer& optimizer) {
  const std::optional<RowsView> rows = plain_input(self, x);
  const std::optional<TargetsView> targets =
      rows ? plain_targets(self, y, loss) : std::optional<TargetsView>();
  if (!targets || optimizer.lazy) return py::none();
  EpochOptions options;
  options.batch_size = rows->rows;
  options.shuffle = false;
  options.batches = 1;
  options.whole_epoch = false;
  Poll poll;
  options.poll = [&](std::int64_t done, double mean) { return poll(done, mean); };
  const std::optional<double> value = poll.run([&]() -> std::optional<double> {
    if (!takes_numbers(self, *rows, *targets, loss)) return std::nullopt;
    self.check_trains(optimizer, options.input_sparsity, rows->rows);
    return self.run_epoch(*rows, *targets, loss, optimizer, options).loss;
  });
  if (!value) return py::none();
  PyObject* const number = PyFloat_FromDouble(*value);
  if (number == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(number);
}

/// A new array of shape (rows, columns). py::array_t works out strides first, in memory of its own,
/// which takes a few hundredths of the time of a small prediction.
template <class T>
py::object new_table(std::int64_t rows, std::int64_t columns) {
  const NumPy& numpy = NumPy::get();
  std::array<Py_intptr_t, 2> shape{rows, columns};
  PyObject* const table =
      numpy.PyArray_NewFromDescr_(numpy.PyArray_Type_, py::dtype::of<T>().release().ptr(), 2,
                                  shape.data(), nullptr, nullptr, 0, nullptr);
  if (table == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(table);
}

/// `out` where outputs of this shape can be written to it, beside the rows that are read.
template <class T>
std::optional<py::array> plain_output(py::handle out, const RowsView& x, std::int64_t columns) {
  std::optional<py::array> given = plain_array(out);
  if (!given || given->ndim() != 2 || given->dtype().num() != py::dtype::num_of<T>() ||
      !has_flags(*given, NumPy::NPY_ARRAY_C_CONTIGUOUS_ | NumPy::NPY_ARRAY_WRITEABLE_) ||
      given->shape(0) != x.rows || given->shape(1) != columns)
    return std::nullopt;
  const char* const bytes = static_cast<const char*>(given->data());
  if (overlaps(x, bytes, bytes + given->nbytes())) return std::nullopt;
  return given;
}

/// Outputs for rows; None where they cannot be had in place.
template <class T>
py::object predict_in_place(const Network<T>& self, py::handle x, py::handle batch_rows,
                            py::handle out) {
  if (!PyLong_CheckExact(batch_rows.ptr())) return py::none();
  int overflow = 0;
  const std::int64_t batch_size = PyLong_AsLongLongAndOverflow(batch_rows.ptr(), &overflow);
  const std::optional<RowsView> rows = plain_input(self, x, Flat::is_row);
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();  // as for all other calls
  if (!rows || overflow != 0 || batch_size < 1 || batch_size > most) return py::none();
  py::object result;
  if (out.is_none()) {
    result = new_table<T>(rows->rows, self.outputs());
  } else {
    std::optional<py::array> given = plain_output<T>(out, *rows, self.outputs());
    if (!given) return py::none();
    result = std::move(*given);
  }
  T* destination = static_cast<T*>(py::reinterpret_borrow<py::array>(result).mutable_data());
  constexpr std::int64_t few = 64;  // take less time than an interruption
  Poll poll;
  poll.run([&] {
    // Its error for a number that is no category comes before that for one that is not finite.
    if (self.layers().front()->reads_categories()) self.check_takes(*rows);
    check_finite<T>(*rows, "x", {}, self.missing_columns());
    const Callback<void()> interruption =
        rows->rows > few ? Callback<void()>(std::ref(poll)) : Callback<void()>();
    self.predict(*rows, batch_size, 0, destination, InputSparsity::automatic, interruption);
  });
  return result;
}

}  // namespace

template <class T>
void bind_in_place(py::class_<Network<T>>& network) {
  network
      .def("takes_in_place", &takes_in_place<T>, py::arg("x"),
           "Whether the core can read these rows as they are, and takes their numbers.")
      .def("takes_targets_in_place", &takes_targets_in_place<T>, py::arg("x"), py::arg("y"),
           py::arg("loss"), "Whether it can and does, rows and their targets.")
      .def("train_in_place", &train_in_place<T>, py::arg("x"), py::arg("y"), py::arg("loss"),
           py::arg("optimizer"),
           "Take a step and return the loss before it; None where arguments must be converted.")
      .def("predict_in_place", &predict_in_place<T>, py::arg("x"), py::arg("batch_size"),
           py::arg("out"), "Return outputs; None where arguments must be converted.");
}

template void bind_in_place<float>(py::class_<Network<float>>&);
template void bind_in_place<double>(py::class_<Network<double>>&);

void init_in_place(py::module_& module) {
  module.def(
      "reads_in_place", [](py::handle table) { return plain_table(table).has_value(); },
      py::arg("table"), "Whether the core can read a table as it is.");
}

}  // namespace chainrule::bindings
