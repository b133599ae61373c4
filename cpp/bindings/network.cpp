// SPDX-License-Identifier: Apache-2.0
#include "chainrule/network.hpp"

#include <pybind11/stl.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/config.hpp"
#include "bindings/gil.hpp"
#include "bindings/inference.hpp"

namespace chainrule::bindings {
namespace {

template <class T>
const ParameterInfo& info_of(const Network<T>& network, const std::string& name) {
  for (const ParameterInfo& info : network.parameters()) {
    if (info.name == name) return info;
  }
  // The network words the error for an unknown name.
  network.get_parameter(name, nullptr);
  throw py::key_error(name);
}

/// A fresh array of the parameter's shape, filled by `read`.
template <class T, class Read>
Values<T> parameter_array(const Network<T>& network, const std::string& name, Read read) {
  const ParameterInfo& info = info_of(network, name);
  Values<T> values(info.shape.extents());
  read(values.mutable_data());
  return values;
}

template <class T>
const T* checked(const Network<T>& network, const std::string& name, const Values<T>& values) {
  const ParameterInfo& info = info_of(network, name);
  const Shape given(std::vector<std::int64_t>(values.shape(), values.shape() + values.ndim()));
  if (given != info.shape) {
    throw py::value_error(name + " has shape " + info.shape.text() + ", got " +
                          py::str(values.attr("shape")).template cast<std::string>());
  }
  return values.data();
}

/// Rows and columns of what is not in memory.
using TableShape = std::pair<std::int64_t, std::int64_t>;

template <class T>
EpochResult run_epoch(Network<T>& self, const std::variant<RowsOrList, TableShape>& x,
                      const RowsOrList& y, const py::object& loss, const Optimizer& optimizer,
                      std::int64_t batch_size, bool shuffle, int num_threads,
                      const std::string& sparsity, const std::optional<Weights>& learning_rates,
                      const std::optional<Weights>& sample_weight,
                      const std::optional<ClassWeights>& class_weight, std::int64_t first_batch,
                      std::int64_t batches, bool whole_epoch, std::optional<Values<T>> outputs,
                      const py::object& poll,
                      const std::optional<std::vector<double>>& loss_weights,
                      const py::object& read, const py::object& on_batch) {
  std::vector<RowsView> views;
  if (const auto* shape = std::get_if<TableShape>(&x)) {
    RowsView elsewhere;
    elsewhere.rows = shape->first;
    elsewhere.columns = shape->second;
    views.push_back(elsewhere);
  } else {
    views = InputViews(std::get<RowsOrList>(x), "x").views();
  }
  const Inputs rows(views);
  const TargetViews targets(y, sample_weight, class_weight);
  const LossList losses(loss, loss_weights);
  check_outputs<T>(outputs, rows.rows(), self.outputs());
  EpochOptions options;
  options.batch_size = batch_size;
  options.num_threads = num_threads;
  options.input_sparsity = input_sparsity(sparsity);
  options.shuffle = shuffle;
  options.first_batch = first_batch;
  options.batches = batches;
  options.whole_epoch = whole_epoch;
  if (learning_rates) {
    const std::int64_t needed = batch_size < 1 ? 0 : (rows.rows() + batch_size - 1) / batch_size;
    if (learning_rates->size() < needed)
      throw py::value_error("learning_rates needs one rate for each batch");
    options.learning_rates = learning_rates->data();
  }
  options.outputs = outputs ? outputs->mutable_data() : nullptr;
  Poll between_batches(poll);
  options.poll = [&](std::int64_t done, double mean) { return between_batches(done, mean); };
  py::object rows_read;  // whose memory the core uses until it reads others
  if (!read.is_none()) {
    options.read = [&](const std::int64_t* numbers, std::int64_t count) {
      return between_batches.with_lock([&] {
        rows_read = read(py::array_t<std::int64_t>(count, numbers));
        return rows_view(rows_read.cast<py::array>(), "x");
      });
    };
  }
  if (!on_batch.is_none()) {
    options.on_batch = [&](const BatchReport& report) {
      return between_batches.with_lock([&] {
        return on_batch(report.batch, report.loss, report.mean_loss).template cast<bool>();
      });
    };
  }
  return between_batches.run(
      [&] { return self.run_epoch(rows, targets, losses, optimizer, options); });
}

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
void check_takes(const Network<T>& self, const RowsOrList& x,
                 const std::vector<std::string>& columns, const std::string& name) {
  const InputViews rows(x, name.c_str());
  const ReleasedGil release;
  self.check_takes(rows, columns);
  for (const RowsView& input : Inputs(rows)) check_finite<T>(input, name.c_str(), columns);
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
  py::class_<N>(module, name)
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
      .def_property("feature_names", &N::feature_names, &N::set_feature_names)
      .def_property_readonly("classes", &N::classes)
      .def_property("class_names", &N::class_names, &N::set_class_names)
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
      .def("run_epoch", &run_epoch<T>, py::arg("x"), py::arg("y"), py::arg("loss"),
           py::arg("optimizer"), py::arg("batch_size"), py::arg("shuffle") = true,
           py::arg("num_threads") = 0, py::arg("input_sparsity") = "auto",
           py::arg("learning_rates") = py::none(), py::arg("sample_weight") = py::none(),
           py::arg("class_weight") = py::none(), py::arg("first_batch") = 0,
           py::arg("batches") = -1, py::arg("whole_epoch") = true,
           py::arg("outputs").noconvert() = py::none(), py::arg("poll") = py::none(),
           py::arg("loss_weights") = py::none(), py::arg("read") = py::none(),
           py::arg("on_batch") = py::none())
      .def("evaluate", &evaluate<T>, py::arg("x"), py::arg("y"), py::arg("loss"),
           py::arg("batch_size"), py::arg("num_threads") = 0, py::arg("input_sparsity") = "auto",
           py::arg("sample_weight") = py::none(), py::arg("class_weight") = py::none(),
           py::arg("outputs").noconvert() = py::none(), py::arg("losses") = nullptr,
           py::arg("loss_weights") = py::none())
      .def("restore_epoch", &N::restore_epoch, without_gil)
      .def(
          "first_bad_layer",
          [](const N& self, const RowsOrList& x) {
            const InputViews rows(x, "x");
            const ReleasedGil release;
            return self.first_bad_layer(rows);
          },
          py::arg("x"))
      .def(
          "check_loss",
          [](const N& self, const py::object& loss,
             const std::optional<std::vector<double>>& loss_weights) {
            self.check_loss(LossList(loss, loss_weights));
          },
          py::arg("loss"), py::arg("loss_weights") = py::none())
      .def("check_takes", &check_takes<T>, py::arg("x"),
           py::arg("columns") = std::vector<std::string>(), py::arg("name") = "x",
           "Raise ValueError unless these rows, all finite, can be the network's input.")
      .def(
          "check_trains",
          [](const N& self, const Optimizer& optimizer, const std::string& sparsity,
             std::int64_t batch_rows) {
            self.check_trains(optimizer, input_sparsity(sparsity), batch_rows);
          },
          py::arg("optimizer"), py::arg("input_sparsity"), py::arg("batch_rows"))
      .def("predict", &predict<T>, py::arg("x"), py::arg("batch_size"), py::arg("num_threads") = 0,
           py::arg("input_sparsity") = "auto", py::arg("out").noconvert() = py::none())
      .def("predict_in_place", &predict_in_place<T>, py::arg("x"), py::arg("batch_size"),
           py::arg("out"))
      .def("predict_first", &predict_first<T>, py::arg("layers"), py::arg("x"),
           py::arg("batch_size"), py::arg("num_threads") = 0, py::arg("input_sparsity") = "auto")
      .def("activations", &activations<T>)
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
      .def("interpolate", &N::interpolate, py::arg("source"), py::arg("tau"), without_gil)
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
      .def("step", &N::step, py::arg("optimizer"), py::arg("learning_rate") = 0.0, without_gil)
      .def(
          "adapt",
          [](N& self, const RowsOrList& x) {
            const InputViews rows(x, "x");
            const ReleasedGil release;
            self.adapt(rows);
          },
          py::arg("x"))
      .def(
          "adapt_remaining",
          [](N& self, const RowsOrList& x) {
            const InputViews rows(x, "x");
            const ReleasedGil release;
            self.adapt_remaining(rows);
          },
          py::arg("x"))
      .def("undo_adaptation", &N::undo_adaptation, without_gil)
      .def(
          "adapt_pieces",
          [](N& self, const py::object& pieces, bool remaining) {
            ReleasedGil released;
            const RowPieces x = [&](const Callback<void(const Inputs&)>& each) {
              const TakenBackGil taken(released);
              for (const py::handle piece : pieces()) {
                const InputViews rows(piece.cast<RowsOrList>(), "x");
                const ReleasedGil meanwhile;
                each(rows);
              }
            };
            remaining ? void(self.adapt_remaining(x)) : self.adapt(x);
          },
          py::arg("pieces"), py::arg("remaining"))
      .def_property("adapted", &N::adapted,
                    [](N& self, bool adapted) {
                      const ReleasedGil release;
                      self.set_adapted(adapted);
                    })
      .def(
          "plan",
          [](const N& self, std::int64_t batch_size, int num_threads,
             const std::optional<RowsOrList>& x, const std::string& sparsity) {
            if (!x) return self.plan(batch_size, num_threads);
            return self.plan(batch_size, num_threads, InputViews(*x, "x"),
                             input_sparsity(sparsity));
          },
          py::arg("batch_size"), py::arg("num_threads") = 0, py::arg("x") = py::none(),
          py::arg("input_sparsity") = "auto");
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
  py::class_<StageInfo>(module, "StageInfo")
      .def_readonly("name", &StageInfo::name)
      .def_readonly("threads_own", &StageInfo::threads_own)
      .def_readonly("operations", &StageInfo::operations)
      .def_readonly("bytes", &StageInfo::bytes);
  py::class_<InputPath>(module, "InputPath")
      .def_readonly("sparse", &InputPath::sparse)
      .def_property_readonly("reason",
                             [](const InputPath& self) {
                               switch (self.reason) {
                                 case InputPath::Reason::asked:
                                   return "asked";
                                 case InputPath::Reason::compressed:
                                   return "compressed";
                                 case InputPath::Reason::categories:
                                   return "categories";
                                 default:
                                   return "cheaper";
                               }
                             })
      .def_readonly("density", &InputPath::density)
      .def_readonly("sparse_operations", &InputPath::sparse_operations)
      .def_readonly("dense_operations", &InputPath::dense_operations);
  py::class_<PlanInfo>(module, "PlanInfo")
      .def_readonly("threads", &PlanInfo::threads)
      .def_readonly("stages", &PlanInfo::stages)
      .def_readonly("input", &PlanInfo::input);
  py::class_<LossSums>(module, "LossSum")
      .def(py::init<>())
      .def_property_readonly(
          "means",
          [](const LossSums& self) {
            std::vector<double> means;
            for (std::size_t i = 0; i < self.size(); ++i) means.push_back(self[i].mean());
            return means;
          },
          "The mean loss of each output.");
  py::class_<EpochResult>(module, "EpochResult")
      .def_readonly("loss", &EpochResult::loss)
      .def_readonly("epoch_loss", &EpochResult::epoch_loss)
      .def_readonly("losses", &EpochResult::losses)
      .def_readonly("epoch_losses", &EpochResult::epoch_losses)
      .def_readonly("batches", &EpochResult::batches)
      .def_readonly("stopped", &EpochResult::stopped);
  bind_network<float>(module, "Network32");
  bind_network<double>(module, "Network64");
}

}  // namespace chainrule::bindings
