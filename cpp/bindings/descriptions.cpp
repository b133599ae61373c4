// SPDX-License-Identifier: Apache-2.0
#include <pybind11/stl.h>

#include <cstdint>
#include <tuple>

#include "bindings/bindings.hpp"
#include "bindings/callables.hpp"
#include "bindings/config.hpp"
#include "chainrule/activation.hpp"
#include "chainrule/augmentation.hpp"
#include "chainrule/early_stopping.hpp"
#include "chainrule/initializer.hpp"
#include "chainrule/layer.hpp"
#include "chainrule/loss.hpp"
#include "chainrule/names.hpp"
#include "chainrule/optimizer.hpp"
#include "chainrule/recurrent_layers.hpp"
#include "chainrule/schedule.hpp"

namespace chainrule::bindings {
namespace {

/// Every description is made from its config and gives the full one back; it is copied and pickled
/// by it.
template <class D, class... Options>
py::class_<D, Options...> bind_description(py::module_& module, const char* name, const char* doc) {
  return py::class_<D, Options...>(module, name, doc)
      .def(py::init([](const py::object& config) { return D::from_config(to_config(config)); }),
           py::arg("config"))
      .def_property_readonly("config", [](const D& self) { return from_config(self.config()); })
      .def_static("kinds", &D::kinds)
      .def(py::pickle([](const D& self) { return from_config(self.config()); },
                      [](const py::dict& config) { return D::from_config(to_config(config)); }));
}

using PlateauMemory = std::tuple<double, double, std::int64_t, std::int64_t>;

PlateauMemory memory_of(const Plateau& plateau) {
  return {plateau.rate, plateau.best, plateau.bad_epochs, plateau.cooldown_left};
}

Plateau plateau_of(const PlateauMemory& memory) {
  Plateau plateau(Schedule::defaults(Schedule::Kind::reduce_on_plateau));
  std::tie(plateau.rate, plateau.best, plateau.bad_epochs, plateau.cooldown_left) = memory;
  return plateau;
}

struct LayerHandle {
  AnyLayer layer;

  static LayerHandle from_config(const Config& config) { return {Layer::from_config(config)}; }
  Config config() const { return layer->config(); }
  static std::vector<std::string> kinds() { return Layer::kinds(); }
};

}  // namespace

void init_descriptions(py::module_& module) {
  bind_description<Activation>(module, "Activation", "A checked activation.");
  bind_description<Augmentation>(module, "Augmentation", "A checked augmentation.");
  bind_description<Initializer>(module, "Initializer", "A checked initializer.");
  bind_description<LayerHandle>(module, "Layer", "A checked layer.")
      .def_static(
          "custom",
          [](const std::string& name, const py::object& owner,
             const std::optional<std::vector<std::int64_t>>& output_shape) {
            return LayerHandle{lambda_layer(name, owner, output_shape)};
          },
          py::arg("name"), py::arg("owner"), py::arg("output_shape"),
          "Return a Lambda of owner.run_forward and owner.run_backward, while the owner lives.")
      .def(
          "outputs",
          [](const LayerHandle& self, std::int64_t inputs) {
            return self.layer->output_shape({inputs}).size();
          },
          py::arg("inputs"))
      .def(
          "output_shape",
          [](const LayerHandle& self, const std::vector<std::vector<std::int64_t>>& inputs) {
            const std::vector<Shape> shapes(inputs.begin(), inputs.end());
            return py::tuple(py::cast(self.layer->output_shape(shapes).extents()));
          },
          py::arg("inputs"))
      .def(
          "reads_lengths",
          [](const LayerHandle& self, const std::vector<std::vector<std::int64_t>>& inputs) {
            const auto* recurrent = dynamic_cast<const RecurrentLayer*>(&*self.layer);
            return recurrent && recurrent->reads_lengths({inputs.begin(), inputs.end()});
          },
          py::arg("inputs"))
      .def(
          "categories",
          [](const LayerHandle& self, std::int64_t inputs) {
            return self.layer->reads_categories() ? self.layer->categories(inputs)
                                                  : std::vector<std::int64_t>{};
          },
          py::arg("inputs"));
  bind_description<Loss>(module, "Loss", "A checked loss.")
      .def_static("custom", &custom_loss, py::arg("name"), py::arg("owner"),
                  "Return a loss of the function owner.run, while the owner lives.")
      .def_property_readonly("is_custom", &Loss::is_custom)
      .def_property_readonly("takes_labels", &Loss::takes_labels)
      .def_property_readonly("link",
                             [](const Loss& self) {
                               switch (self.link()) {
                                 case Loss::Link::softmax:
                                   return "softmax";
                                 case Loss::Link::sigmoid:
                                   return "sigmoid";
                                 case Loss::Link::exponential:
                                   return "exponential";
                                 case Loss::Link::identity:
                                   break;
                               }
                               return "identity";
                             })
      .def(
          "target_columns",
          [](const Loss& self, std::int64_t outputs) { return self.target_columns(outputs); },
          py::arg("outputs"));
  bind_description<Optimizer>(module, "Optimizer", "A checked optimizer.")
      .def_property_readonly("learning_rate", &Optimizer::learning_rate)
      .def("slots", &Optimizer::slots)
      .def(
          "remembers_as",
          [](const Optimizer& self, const Optimizer& other) {
            return self.kind() == other.kind() && self.slots() == other.slots();
          },
          py::arg("other"), "Whether each could go on from the other's memory.");
  bind_description<Schedule>(module, "Schedule", "A checked learning-rate schedule.")
      .def("rate", &Schedule::rate, py::arg("step"), py::arg("steps_per_epoch"));

  py::class_<Plateau>(module, "Plateau", "The memory of a reduce_on_plateau schedule.")
      .def(py::init<const Schedule&>(), py::arg("schedule"))
      .def(py::pickle(&memory_of, &plateau_of))
      .def("observe", &Plateau::observe, py::arg("schedule"), py::arg("value"),
           py::arg("rises") = false)
      .def_readwrite("rate", &Plateau::rate)
      .def_readwrite("best", &Plateau::best)
      .def_readwrite("bad_epochs", &Plateau::bad_epochs)
      .def_readwrite("cooldown_left", &Plateau::cooldown_left);

  using Memory = EarlyStoppingMemory;
  py::class_<Memory>(module, "EarlyStoppingMemory", "What early stopping remembers of epochs.")
      .def(py::init<>())
      .def(py::pickle(
          [](const Memory& self) {
            return std::make_tuple(self.best, self.best_epoch, self.waited, self.stopped_epoch);
          },
          [](const std::tuple<double, std::int64_t, std::int64_t, std::int64_t>& state) {
            return std::make_from_tuple<Memory>(state);
          }))
      .def(
          "observe",
          [](Memory& self, std::int64_t epoch, double value, std::int64_t patience,
             double min_delta, bool rises) {
            EarlyStopping rule;
            rule.patience = patience;
            rule.min_delta = min_delta;
            rule.mode = rises ? EarlyStopping::Mode::max : EarlyStopping::Mode::min;
            return self.observe(rule, epoch, value);
          },
          py::arg("epoch"), py::arg("value"), py::arg("patience"), py::arg("min_delta"),
          py::arg("rises"), "Take an epoch's value; return whether it is the best so far.")
      .def_readwrite("best", &Memory::best)
      .def_readwrite("best_epoch", &Memory::best_epoch)
      .def_readwrite("waited", &Memory::waited)
      .def_readwrite("stopped_epoch", &Memory::stopped_epoch);
}

}  // namespace chainrule::bindings
