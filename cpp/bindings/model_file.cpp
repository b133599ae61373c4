// SPDX-License-Identifier: Apache-2.0
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "bindings/quantization.hpp"
#include "chainrule/any_model.hpp"
#include "chainrule/atomic_file.hpp"

namespace chainrule::bindings {
namespace {

using AnyNetwork = std::variant<std::unique_ptr<Network<float>>, std::unique_ptr<Network<double>>>;

/// Network, training, and of small weights their name and ranges.
std::tuple<AnyNetwork, TrainingState, std::string, Ranges> parts_of(AnyModel model) {
  return std::visit(
      []<class T>(Model<T>& read) {
        Ranges ranges;
        for (const InputRange& range : read.quantization.ranges)
          ranges.emplace_back(range.low, range.high);
        return std::tuple(AnyNetwork(std::make_unique<Network<T>>(std::move(read.network))),
                          std::move(read.training), weights_name(read.quantization.weights),
                          std::move(ranges));
      },
      model);
}

template <class T>
void bind_writing(py::module_& module) {
  module.def(
      "model_bytes",
      [](const Network<T>& network, const TrainingState& training) {
        std::string content;
        {
          const ReleasedGil release;
          content = model_bytes(network, training);
        }
        return py::bytes(content);
      },
      py::arg("network"), py::arg("training"));
  module.def(
      "save_model",
      [](const py::bytes& path, const Network<T>& network, const TrainingState& training,
         const std::string& weights, const Ranges& ranges) {
        const std::string name = path;
        const Quantization quantization = quantization_of(weights, ranges);
        const ReleasedGil release;
        save_model(name, network, training, quantization);
      },
      py::arg("path"), py::arg("network"), py::arg("training"), py::arg("weights") = "unchanged",
      py::arg("ranges") = Ranges());
}

}  // namespace

// Paths are bytes, as os.fsencode makes them of any path.
void init_model_file(py::module_& module) {
  py::class_<TrainingState>(module, "TrainingState",
                            "What training needs to go on, beside what the network holds.")
      .def(py::init<>())
      .def_readwrite("loss", &TrainingState::loss)
      .def_readwrite("optimizer", &TrainingState::optimizer)
      .def_readwrite("schedule", &TrainingState::schedule)
      .def_readwrite("plateau", &TrainingState::plateau)
      .def_readwrite("monitor", &TrainingState::monitor)
      .def_readwrite("mode", &TrainingState::mode)
      .def_readwrite("schedule_origin", &TrainingState::schedule_origin)
      .def_readwrite("rest", &TrainingState::rest);
  module.attr("MODEL_FORMAT_VERSION") = model_format_version;
  bind_writing<float>(module);
  bind_writing<double>(module);
  module.def(
      "load_model",
      [](const py::bytes& path) {
        const std::string name = path;
        const ReleasedGil release;
        return parts_of(load_any_model(name));
      },
      py::arg("path"));
  module.def(
      "read_model",
      [](const py::bytes& content) {
        const std::string_view view = content;
        const ReleasedGil release;
        return parts_of(read_any_model(view));
      },
      py::arg("content"));
  module.def(
      "read_model_description",
      [](const py::bytes& content) { return read_model_description(content); }, py::arg("content"));
  module.def(
      "write_atomically",
      [](const py::bytes& path, const py::bytes& content) {
        const std::string name = path;
        const std::string_view view = content;
        const ReleasedGil release;
        write_atomically(name, view);
      },
      py::arg("path"), py::arg("content"));
}

}  // namespace chainrule::bindings
