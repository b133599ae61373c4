// SPDX-License-Identifier: Apache-2.0
// The class Network: its graph, its parameters and the optimizer's state.
#include "bindings/network.hpp"

#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/config.hpp"
#include "bindings/gil.hpp"
#include "bindings/parameters.hpp"

namespace chainrule::bindings {
namespace {

std::vector<std::string> names_of(const Graph& graph, bool inputs) {
  std::vector<std::string> names;
  for (const std::int64_t node : inputs ? graph.inputs() : graph.outputs())
    names.push_back(graph.node(node).name);
  return names;
}

template <class T>
void bind_network(py::module_& module, const char* name) {
  using N = Network<T>;
  // What changes a network may have to wait for predictions.
  constexpr py::call_guard<ReleasedGil> without_gil;
  py::class_<N> network(module, name);
  network
      .def(py::init(
               [](const std::vector<py::dict>& layers, std::int64_t inputs, std::uint64_t seed) {
                 std::vector<AnyLayer> described;
                 for (const py::dict& layer : layers)
                   described.push_back(Layer::from_config(to_config(layer)));
                 return std::make_unique<N>(std::move(described), inputs, seed);
               }),
           py::arg("layers"), py::arg("inputs"), py::arg("seed"))
      .def(py::init([](const std::vector<py::dict>& nodes, const std::vector<std::string>& outputs,
                       std::uint64_t seed) {
             return std::make_unique<N>(Graph::from_config(to_graph_config(nodes, outputs)), seed);
           }),
           py::arg("nodes"), py::arg("outputs"), py::arg("seed"))
      .def("copy", [](const N& self) { return std::make_unique<N>(self); })
      .def_property_readonly("layers",
                             [](const N& self) {
                               std::vector<py::dict> configs;
                               for (const auto& layer : self.layers())
                                 configs.push_back(from_config(layer->config()));
                               return configs;
                             })
      .def_property_readonly("nodes",
                             [](const N& self) { return from_graph_config(self.graph().config()); })
      .def_property_readonly("input_names",
                             [](const N& self) { return names_of(self.graph(), true); })
      .def_property_readonly("output_names",
                             [](const N& self) { return names_of(self.graph(), false); })
      .def_property_readonly(
          "shapes",
          [](const N& self) {
            std::vector<py::tuple> shapes;
            for (const Node& node : self.graph().nodes())
              shapes.push_back(py::tuple(py::cast(node.shape.extents())));
            return shapes;
          },
          "The shape of a row of each node.")
      .def_property_readonly("inputs", &N::inputs)
      .def_property_readonly("outputs", &N::outputs)
      .def_property_readonly("seed", &N::seed)
      .def("feature_names", &N::feature_names, py::arg("input") = 0)
      .def("set_feature_names", &N::set_feature_names, py::arg("names"), py::arg("input") = 0)
      .def("classes", &N::classes, py::arg("output") = 0)
      .def("class_names", &N::class_names, py::arg("output") = 0)
      .def("set_class_names", &N::set_class_names, py::arg("names"), py::arg("output") = 0)
      .def_property("category_names", &N::category_names, &N::set_category_names)
      .def("category_code", &N::category_code, py::arg("column"), py::arg("name"))
      .def_property_readonly("parameters", &N::parameters)
      .def("set_trainable", &N::set_trainable, py::arg("node"), py::arg("trainable"), without_gil)
      .def(
          "get_parameter",
          [](const N& self, const std::string& p) {
            return parameter_array<T>(self, p, [&](T* to) { self.get_parameter(p, to); });
          },
          py::arg("name"))
      .def(
          "set_parameter",
          [](N& self, const std::string& p, const Values<T>& values) {
            const T* from = checked<T>(self, p, values);
            const ReleasedGil release;
            self.set_parameter(p, from);
          },
          py::arg("name"), py::arg("values"))
      .def_property_readonly("optimizer_kind", &N::optimizer_kind)
      .def_property_readonly("optimizer_slots", &N::optimizer_slots)
      .def(
          "get_slot",
          [](const N& self, const std::string& slot, const std::string& p) {
            return parameter_array<T>(self, p, [&](T* to) { self.get_slot(slot, p, to); });
          },
          py::arg("slot"), py::arg("name"))
      .def(
          "set_slot",
          [](N& self, const std::string& slot, const std::string& p, const Values<T>& values) {
            const T* from = checked<T>(self, p, values);
            const ReleasedGil release;
            self.set_slot(slot, p, from);
          },
          py::arg("slot"), py::arg("name"), py::arg("values"))
      .def_property_readonly("steps", &N::steps)
      .def_property_readonly("total_steps", &N::total_steps)
      .def_property_readonly("epochs", &N::epochs)
      .def("reset_optimizer", &N::reset_optimizer, without_gil)
      .def("interpolate", &N::interpolate, py::arg("source"), py::arg("tau"), without_gil);
  bind_training<T>(network);
  bind_training_loop<T>(network);
  bind_in_place<T>(network);
  bind_inference<T>(network);
  bind_manual_backprop<T>(network);
  bind_normalization<T>(network);
  bind_plan<T>(network);
}

}  // namespace

void init_network(py::module_& module) {
  module.def(
      "check_input_sparsity", [](const std::string& name) { input_sparsity(name); },
      py::arg("name"), "Raise ValueError unless the name is one of the paths for input.");
  py::class_<ParameterInfo>(module, "ParameterInfo")
      .def_readonly("name", &ParameterInfo::name)
      .def_readonly("layer", &ParameterInfo::layer)
      .def_readonly("trainable", &ParameterInfo::trainable)
      .def_property_readonly("shape", [](const ParameterInfo& self) {
        return py::tuple(py::cast(self.shape.extents()));
      });
  init_plan(module);
  init_evaluation(module);
  init_training(module);
  init_training_loop(module);
  bind_network<float>(module, "Network32");
  bind_network<double>(module, "Network64");
  bind_best_parameters<float>(module, "BestParameters32");
  bind_best_parameters<double>(module, "BestParameters64");
}

}  // namespace chainrule::bindings
