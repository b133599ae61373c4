// SPDX-License-Identifier: Apache-2.0
// Forward, backward and steps by hand.
#include <pybind11/stl.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "bindings/network.hpp"
#include "bindings/parameters.hpp"
#include "chainrule/network.hpp"

namespace chainrule::bindings {
namespace {

/// What each layer gave in the last forward; None where it left no table.
template <class T>
std::vector<py::object> activations(const Network<T>& self) {
  const std::int64_t rows = self.activation_rows();
  std::vector<py::object> found;
  for (const Node& node : self.graph().nodes()) {
    if (!node.layer) continue;
    std::vector<std::int64_t> shape = node.shape.extents();
    shape.insert(shape.begin(), rows);
    Values<T> values(shape);
    const bool there =
        self.get_activation(static_cast<std::int64_t>(found.size()), values.mutable_data());
    found.push_back(there ? py::object(values) : py::none());
  }
  return found;
}

template <class T>
Values<T> forward(Network<T>& self, const RowsOrList& x, bool training, int num_threads) {
  const InputViews rows(x, "x");
  Values<T> outputs({rows.rows(), self.outputs()});
  T* destination = outputs.mutable_data();
  const ReleasedGil release;
  self.forward(rows, training, num_threads, destination);
  return outputs;
}

template <class T>
Values<T> backward(Network<T>& self, const py::array& dy) {
  const RowsView rows = rows_view(dy, "dy");
  Values<T> dx({rows.rows, self.inputs()});
  T* destination = dx.mutable_data();
  const ReleasedGil release;
  check_finite<T>(rows, "dy");
  self.backward(rows, destination);
  return dx;
}

template <class T>
py::tuple compute_gradients(Network<T>& self, const RowsOrList& x, const RowsOrList& y,
                            const py::object& loss, bool training, int num_threads,
                            const std::optional<Weights>& sample_weight,
                            const std::optional<ClassWeights>& class_weight,
                            const std::optional<std::vector<double>>& loss_weights) {
  const InputViews rows(x, "x");
  const TargetViews targets(y, sample_weight, class_weight);
  const LossList losses(loss, loss_weights);
  Values<T> dx({rows.rows(), self.inputs()});
  T* destination = dx.mutable_data();
  double value = 0.0;
  {
    const ReleasedGil release;
    value = self.compute_gradients(rows, targets, losses, training, num_threads, destination);
  }
  return py::make_tuple(value, dx);
}

}  // namespace

template <class T>
void bind_manual_backprop(py::class_<Network<T>>& network) {
  using N = Network<T>;
  constexpr py::call_guard<ReleasedGil> without_gil;
  network.def("activations", &activations<T>)
      .def(
          "set_gradients",
          [](N& self, const std::map<std::string, Values<T>>& given, bool others_zero) {
            std::vector<std::pair<std::string, const T*>> gradients;
            for (const auto& [parameter, values] : given)
              gradients.emplace_back(parameter, checked<T>(self, parameter, values));
            const ReleasedGil release;
            self.set_gradients(gradients, others_zero);
          },
          py::arg("given"), py::arg("others_zero"))
      .def("forward", &forward<T>, py::arg("x"), py::arg("training"), py::arg("num_threads") = 0)
      .def("backward", &backward<T>, py::arg("dy"))
      .def("compute_gradients", &compute_gradients<T>, py::arg("x"), py::arg("y"), py::arg("loss"),
           py::arg("training"), py::arg("num_threads") = 0, py::arg("sample_weight") = py::none(),
           py::arg("class_weight") = py::none(), py::arg("loss_weights") = py::none())
      .def(
          "get_gradient",
          [](const N& self, const std::string& p) {
            return parameter_array<T>(self, p, [&](T* to) { self.get_gradient(p, to); });
          },
          py::arg("name"))
      .def("step", &N::step, py::arg("optimizer"), py::arg("learning_rate") = 0.0, without_gil);
}

template void bind_manual_backprop<float>(py::class_<Network<float>>&);
template void bind_manual_backprop<double>(py::class_<Network<double>>&);

}  // namespace chainrule::bindings
