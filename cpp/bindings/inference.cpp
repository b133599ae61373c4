// SPDX-License-Identifier: Apache-2.0
// Predictions and evaluation: what reads a network.
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "bindings/network.hpp"
#include "chainrule/network.hpp"

namespace chainrule::bindings {
namespace {

template <class T>
double evaluate(const Network<T>& self, const RowsOrList& x, const RowsOrList& y,
                const py::object& loss, std::int64_t batch_size, int num_threads,
                const std::string& sparsity, const std::optional<Weights>& sample_weight,
                const std::optional<ClassWeights>& class_weight, std::optional<Values<T>> outputs,
                LossSums* sums, const std::optional<std::vector<double>>& loss_weights) {
  const InputViews rows(x, "x");
  const TargetViews targets(y, sample_weight, class_weight);
  const LossList losses(loss, loss_weights);
  check_outputs<T>(outputs, rows.rows(), self.outputs());
  T* destination = outputs ? outputs->mutable_data() : nullptr;
  const InputSparsity path = input_sparsity(sparsity);
  Poll poll;
  return poll.run([&] {
    return self.evaluate(rows, targets, losses, batch_size, num_threads, destination, path,
                         std::ref(poll), sums);
  });
}

bool overlap(const Inputs& x, const void* begin, const void* end) {
  return std::any_of(x.begin(), x.end(),
                     [&](const RowsView& rows) { return overlaps(rows, begin, end); });
}

template <class T>
Values<T> predict(const Network<T>& self, const RowsOrList& x, std::int64_t batch_size,
                  int num_threads, const std::string& sparsity, std::optional<Values<T>> out) {
  const InputViews rows(x, "x");
  check_outputs<T>(out, rows.rows(), self.outputs());
  const T* const given = out ? out->data() : nullptr;
  // Outputs that overlap x are computed in memory of their own and copied at the end.
  const bool separate = !out || overlap(rows, given, given + out->size());
  Values<T> outputs = separate ? Values<T>({rows.rows(), self.outputs()}) : *out;
  T* destination = outputs.mutable_data();
  const InputSparsity path = input_sparsity(sparsity);
  Poll poll;
  poll.run([&] { self.predict(rows, batch_size, num_threads, destination, path, std::ref(poll)); });
  if (!out) return outputs;
  if (separate) std::copy_n(outputs.data(), outputs.size(), out->mutable_data());
  return *out;
}

template <class T>
Values<T> predict_first(const Network<T>& self, std::int64_t layers, const RowsOrList& x,
                        std::int64_t batch_size, int num_threads, const std::string& sparsity) {
  const InputViews rows(x, "x");
  const Graph& graph = self.graph();
  const std::int64_t columns = layers < 1 || layers > graph.layer_count()
                                   ? 0
                                   : graph.node(graph.layer_node_index(layers - 1)).shape.size();
  Values<T> outputs({rows.rows(), columns});
  T* destination = outputs.mutable_data();
  const InputSparsity path = input_sparsity(sparsity);
  Poll poll;
  poll.run([&] {
    self.predict_first(layers, rows, batch_size, num_threads, destination, path, std::ref(poll));
  });
  return outputs;
}

template <class T>
void check_takes(const Network<T>& self, const RowsOrList& x,
                 const std::vector<std::string>& columns, const std::string& name, bool finite,
                 std::optional<std::size_t> part) {
  const InputViews rows(x, name.c_str());
  const ReleasedGil release;
  self.check_takes(rows, columns);
  if (!finite) return;
  const Inputs inputs(rows);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!part || *part == i)
      check_finite<T>(inputs[i], name.c_str(), columns, self.missing_columns(i));
}

}  // namespace

template <class T>
void bind_inference(py::class_<Network<T>>& network) {
  network
      .def("predict", &predict<T>, py::arg("x"), py::arg("batch_size"), py::arg("num_threads") = 0,
           py::arg("input_sparsity") = "auto", py::arg("out").noconvert() = py::none())
      .def("predict_first", &predict_first<T>, py::arg("layers"), py::arg("x"),
           py::arg("batch_size"), py::arg("num_threads") = 0, py::arg("input_sparsity") = "auto")
      .def("evaluate", &evaluate<T>, py::arg("x"), py::arg("y"), py::arg("loss"),
           py::arg("batch_size"), py::arg("num_threads") = 0, py::arg("input_sparsity") = "auto",
           py::arg("sample_weight") = py::none(), py::arg("class_weight") = py::none(),
           py::arg("outputs").noconvert() = py::none(), py::arg("losses") = nullptr,
           py::arg("loss_weights") = py::none())
      .def("check_takes", &check_takes<T>, py::arg("x"),
           py::arg("columns") = std::vector<std::string>(), py::arg("name") = "x",
           py::arg("finite") = true, py::arg("part") = py::none(),
           "Raise ValueError unless these rows, all finite, can be the network's input.")
      .def("missing_columns", &Network<T>::missing_columns, py::arg("input") = 0,
           "Whether each column of an input may hold NaN; empty where none may.");
}

template void bind_inference<float>(py::class_<Network<float>>&);
template void bind_inference<double>(py::class_<Network<double>>&);

void init_evaluation(py::module_& module) {
  using SumWeightUnit = std::array<double, 3>;
  py::class_<LossSums>(module, "LossSum")
      .def(py::init<>())
      .def(py::init([](const std::vector<SumWeightUnit>& parts) {
             LossSums sums;
             sums.resize(parts.size());
             for (std::size_t i = 0; i < parts.size(); ++i)
               sums[i] = {parts[i][0], parts[i][1], parts[i][2]};
             return sums;
           }),
           py::arg("parts"))
      .def_property_readonly(
          "parts",
          [](const LossSums& self) {
            std::vector<SumWeightUnit> parts;
            for (std::size_t i = 0; i < self.size(); ++i)
              parts.push_back({self[i].sum, self[i].weight, self[i].unit});
            return parts;
          },
          "Sum, weight and unit of each output, which say it exactly.")
      .def_property_readonly(
          "means",
          [](const LossSums& self) {
            std::vector<double> means;
            for (std::size_t i = 0; i < self.size(); ++i) means.push_back(self[i].mean());
            return means;
          },
          "The mean loss of each output.");
}

}  // namespace chainrule::bindings
