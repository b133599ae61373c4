// SPDX-License-Identifier: Apache-2.0
// Networks and data sets to train on, and everything that training changes, for comparison to the
// last bit.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chainrule/layers.hpp"
#include "chainrule/network.hpp"
#include "matrices.hpp"

namespace chainrule::testing {

using Layers = std::vector<AnyLayer>;

inline AnyLayer dense(int64_t units, Activation::Kind activation = Activation::Kind::linear) {
  return Dense(units, Activation::defaults(activation));
}

/// Rows of numbers with a label, a target row and a weight each.
struct DataSet {
  DataSet(int64_t rows_, int64_t inputs_, int64_t outputs_, uint64_t seed = 17)
      : rows(rows_), inputs(inputs_), outputs(outputs_) {
    Draws draws(seed);
    for (int64_t i = 0; i < rows * inputs; ++i) x.push_back(draws.uniform(-1, 1));
    for (int64_t i = 0; i < rows * outputs; ++i) targets.push_back(draws.uniform(0, 1));
    for (int64_t i = 0; i < rows; ++i) {
      labels.push_back(draws.integer(0, outputs - 1));
      weights.push_back(draws.uniform(0.25, 2));
    }
    for (int64_t j = 0; j < outputs; ++j) class_weights.push_back(draws.uniform(0.5, 2));
  }

  RowsView inputs_view() const { return view(x.data(), rows, inputs); }
  TargetsView by_label() const {
    TargetsView y;
    y.labels = labels.data();
    y.rows = rows;
    return y;
  }
  TargetsView by_row() const {
    TargetsView y;
    y.values = view(targets.data(), rows, outputs);
    y.rows = rows;
    return y;
  }

  void weigh_classes(TargetsView& y) const {
    y.class_weights = class_weights.data();
    y.classes = outputs;
  }

  int64_t rows, inputs, outputs;
  std::vector<double> x, targets, weights, class_weights;
  std::vector<int64_t> labels;
};

template <class T>
std::vector<T> parameter(const Network<T>& network, const ParameterInfo& info) {
  std::vector<T> values(static_cast<size_t>(info.shape.size()));
  network.get_parameter(info.name, values.data());
  return values;
}

template <class T>
std::vector<T> parameter(const Network<T>& network, const std::string& name) {
  for (const ParameterInfo& info : network.parameters())
    if (info.name == name) return parameter(network, info);
  return {};
}

template <class T>
std::vector<T> gradient(const Network<T>& network, const ParameterInfo& info) {
  std::vector<T> values(static_cast<size_t>(info.shape.size()));
  network.get_gradient(info.name, values.data());
  return values;
}

/// All that training changes.
template <class T>
struct Snapshot {
  explicit Snapshot(const Network<T>& network)
      : kind(network.optimizer_kind()),
        steps(network.steps()),
        total_steps(network.total_steps()),
        epochs(network.epochs()) {
    for (const ParameterInfo& info : network.parameters()) {
      arrays[info.name] = parameter(network, info);
      for (const std::string& slot : network.optimizer_slots()) {
        std::vector<T>& values = arrays[slot + " of " + info.name];
        values.resize(static_cast<size_t>(info.shape.size()));
        network.get_slot(slot, info.name, values.data());
      }
    }
  }

  bool operator==(const Snapshot& other) const {
    if (kind != other.kind || steps != other.steps || total_steps != other.total_steps ||
        epochs != other.epochs || arrays.size() != other.arrays.size())
      return false;
    for (const auto& [name, values] : arrays) {
      const auto found = other.arrays.find(name);
      if (found == other.arrays.end() || !same_bits(found->second, values)) return false;
    }
    return true;
  }

  std::string kind;
  int64_t steps, total_steps, epochs;
  std::map<std::string, std::vector<T>> arrays;
};

/// A copy made the way a model file makes one: through names, arrays and counters.
template <class T>
std::unique_ptr<Network<T>> rebuilt(const Network<T>& from, const Optimizer& optimizer) {
  auto to = std::make_unique<Network<T>>(from.layers(), from.inputs(), from.seed());
  to->restore_training(optimizer, from.steps(), from.total_steps(), from.epochs());
  for (const ParameterInfo& info : from.parameters()) {
    to->set_parameter(info.name, parameter(from, info).data());
    for (const std::string& slot : from.optimizer_slots()) {
      std::vector<T> values(static_cast<size_t>(info.shape.size()));
      from.get_slot(slot, info.name, values.data());
      to->set_slot(slot, info.name, values.data());
    }
  }
  return to;
}

inline Optimizer optimizer(Optimizer::Kind kind, double learning_rate) {
  Optimizer o = Optimizer::defaults(kind);
  o.set_learning_rate(learning_rate);
  return o;
}

inline Loss cross_entropy() { return Loss::defaults(Loss::Kind::cross_entropy); }
inline Loss mse() { return Loss::defaults(Loss::Kind::mse); }

/// Every kind of layer at sizes that are no multiple of anything, large enough for seven threads.
inline Layers odd_layers() {
  return {Rescaling(0.5, 0.125),
          dense(203, Activation::Kind::relu),
          BatchNormalization(),
          Dropout(0.25),
          dense(211, Activation::Kind::tanh),
          LayerNormalization(),
          dense(67, Activation::Kind::gelu),
          ActivationLayer(Activation::defaults(Activation::Kind::softplus)),
          dense(5)};
}

inline EpochOptions options(int64_t batch_size, int threads = 1) {
  EpochOptions o;
  o.batch_size = batch_size;
  o.num_threads = threads;
  return o;
}

template <class T>
Snapshot<T> after_epochs(Network<T>& network, const DataSet& data, const Loss& loss,
                         const Optimizer& rule, int epochs, const EpochOptions& o) {
  for (int e = 0; e < epochs; ++e)
    network.run_epoch(data.inputs_view(), data.by_label(), loss, rule, o);
  return Snapshot<T>(network);
}

inline std::vector<Optimizer> optimizers() {
  std::vector<Optimizer> all;
  all.emplace_back(Sgd{.learning_rate = 0.05, .momentum = 0.9});
  all.push_back({Adam{}, {.clip_value = 0.05, .clip_norm = 0.5}});
  all.emplace_back(RmsProp{.learning_rate = 1e-3, .momentum = 0.5, .centered = true});
  all.push_back(optimizer(Optimizer::Kind::lion, 1e-4));
  return all;
}

}  // namespace chainrule::testing
