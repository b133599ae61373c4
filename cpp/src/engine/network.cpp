// SPDX-License-Identifier: Apache-2.0
// Construction, copies, and the access to parameters.
#include "chainrule/network.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/input/categories.hpp"
#include "engine/input/missing_columns.hpp"
#include "engine/multiply_adds.hpp"
#include "engine/network_state.hpp"
#include "engine/threads/wished_threads.hpp"

namespace chainrule {
namespace {

Graph checked_chain(const std::vector<AnyLayer>& layers, std::int64_t inputs) {
  if (layers.empty()) throw Error("a network needs at least one layer");
  if (inputs < 1) throw Error("a network needs at least one input, got " + std::to_string(inputs));
  return Graph::chain(layers, inputs);
}

Graph checked(Graph graph) {
  graph.check();
  return graph;
}

std::vector<AnyLayer> layers_of(const Graph& graph) {
  std::vector<AnyLayer> layers;
  for (const Node& node : graph.nodes())
    if (node.layer) layers.push_back(*node.layer);
  return layers;
}

/// Columns of several nodes side by side.
std::int64_t columns_of(const Graph& graph, const std::vector<std::int64_t>& nodes) {
  std::int64_t columns = 0;
  for (const std::int64_t node : nodes)
    if (__builtin_add_overflow(columns, graph.node(node).shape.size(), &columns))
      throw Error("the inputs or outputs are too large");
  return columns;
}

/// The same for each input by itself.
std::vector<std::vector<std::int64_t>> split(const std::vector<std::int64_t>& categories,
                                             const Graph& graph) {
  std::vector<std::vector<std::int64_t>> parts;
  auto begin = categories.begin();
  for (const std::int64_t input : graph.inputs()) {
    parts.emplace_back();
    if (categories.empty()) continue;
    const auto end = begin + graph.node(input).shape.size();
    if (std::any_of(begin, end, [](std::int64_t count) { return count != engine::kAnyNumber; }))
      parts.back().assign(begin, end);
    begin = end;
  }
  return parts;
}

}  // namespace

// The kernels are those of predictions: a program that never trains does not link the others.
template <class T>
Network<T>::State::State(Graph graph_, std::uint64_t seed_, InitialValues values)
    : graph(checked(std::move(graph_))),
      layers(layers_of(graph)),
      inputs(columns_of(graph, graph.inputs())),
      outputs(columns_of(graph, graph.outputs())),
      seed(seed_),
      multiply_adds(engine::multiply_adds(graph)),
      kernels(kernels::active_inference<T>()),
      parameters(graph, kernels.panel),
      categories(engine::category_counts(graph)),
      input_categories(split(categories, graph)),
      missing_columns(engine::missing_columns(graph)) {
  // A small network would never ask how many threads there are.
  engine::wished_threads();
  if (values == InitialValues::from_initializers) parameters.initialize(seed);
  unadapted = adapting();
  feature_names.resize(graph.inputs().size());
  class_names.resize(graph.outputs().size());
  for (const engine::Parameter& p : parameters.list()) {
    infos.push_back({p.name, p.layer, p.spec.shape, p.spec.trainable});
  }
}

// What sessions hold belongs to the other's parameters, so the copy makes its own.
template <class T>
Network<T>::State::State(const State& other)
    : graph(other.graph),
      layers(other.layers),
      inputs(other.inputs),
      outputs(other.outputs),
      seed(other.seed),
      multiply_adds(other.multiply_adds),
      kernels(other.kernels),
      parameters(other.parameters),
      infos(other.infos),
      optimizer(other.optimizer),
      total_steps(other.total_steps),
      epochs(other.epochs),
      unadapted(other.unadapted),
      feature_names(other.feature_names),
      class_names(other.class_names),
      category_names(other.category_names),
      category_orders(other.category_orders),
      categories(other.categories),
      input_categories(other.input_categories),
      missing_columns(other.missing_columns) {}

template <class T>
std::vector<std::int64_t> Network<T>::State::adapting() const {
  std::vector<std::int64_t> found;
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (layers[i]->adapts()) found.push_back(static_cast<std::int64_t>(i));
  return found;
}

template <class T>
Network<T>::Network(std::vector<AnyLayer> layers, std::int64_t inputs, std::uint64_t seed,
                    InitialValues values)
    : Network(checked_chain(layers, inputs), seed, values) {}

template <class T>
Network<T>::Network(Graph graph, std::uint64_t seed, InitialValues values)
    : state_(new State(std::move(graph), seed, values)) {}

template <class T>
Network<T>::Network(const Network& other) {
  const engine::Reading guard(*other.state_);
  state_ = Owned(new State(*other.state_));
}

template <class T>
Network<T>::Network(Network&&) noexcept = default;
template <class T>
Network<T>& Network<T>::operator=(Network&&) noexcept = default;
template <class T>
Network<T>::~Network() = default;

template <class T>
const Graph& Network<T>::graph() const {
  return state_->graph;
}

template <class T>
const std::vector<AnyLayer>& Network<T>::layers() const {
  return state_->layers;
}

template <class T>
std::int64_t Network<T>::inputs() const {
  return state_->inputs;
}

template <class T>
std::int64_t Network<T>::outputs() const {
  return state_->outputs;
}

template <class T>
std::uint64_t Network<T>::seed() const {
  return state_->seed;
}

// Plans know which stages have gradients, so all are made anew, and so are the pieces of stored
// updates.
template <class T>
void Network<T>::set_trainable(const std::string& node, bool trainable) {
  const engine::Changing guard(*state_);
  state_->graph.set_trainable(node, trainable);
  state_->parameters.set_trainable(state_->graph);
  state_->forget_passes();
  state_->training.compiled.reset();
  state_->backprop.plan.reset();
  state_->backprop.checking.reset();
  state_->backprop.activation_rows = 0;
  state_->gradients.valid = false;
  state_->gradients.update.reset();
}

template <class T>
const std::vector<ParameterInfo>& Network<T>::parameters() const {
  return state_->infos;
}

// values: the parameter's shape, row-major
template <class T>
void Network<T>::get_parameter(const std::string& name, T* values) const {
  const engine::Reading guard(*state_);
  state_->parameters.unpack(state_->parameters.named(name), state_->parameters.values.data(),
                            values);
}

// The same. All values are checked before the first is set. An exact mean that does not round to
// what is set is dropped.
template <class T>
void Network<T>::set_parameter(const std::string& name, const T* values) {
  const engine::Changing guard(*state_);
  const engine::Parameter& p = state_->parameters.named(name);
  for (std::int64_t i = 0; i < p.spec.shape.size(); ++i) {
    if (!std::isfinite(values[i]))
      throw Error("the values for " + name + " contain NaN or infinity");
  }
  state_->parameters.pack(p, values, state_->parameters.values.data());
  const std::vector<double>& exact = state_->parameters.exact_mean();
  const auto rounds = [](double e, T m) { return static_cast<T>(e) == m; };
  if (p.layer == 0 && engine::is_center(p.spec) &&
      !std::equal(exact.begin(), exact.end(), values, rounds))
    state_->parameters.set_exact_mean({});
  state_->forget_passes();
}

template <class T>
const std::vector<bool>& Network<T>::missing_columns(std::size_t input) const {
  return state_->missing_columns[input];
}

template <class T>
std::vector<double> Network<T>::exact_mean() const {
  const engine::Reading guard(*state_);
  return state_->parameters.exact_mean();
}

template <class T>
void Network<T>::set_exact_mean(std::vector<double> mean) {
  const engine::Changing guard(*state_);
  state_->parameters.set_exact_mean(std::move(mean));
}

template <class T>
bool Network<T>::adapted() const {
  const engine::Reading guard(*state_);
  return state_->unadapted.empty() && !state_->adapting().empty();
}

template <class T>
void Network<T>::set_adapted(bool adapted) {
  const engine::Changing guard(*state_);
  state_->unadapted = adapted ? std::vector<std::int64_t>{} : state_->adapting();
}

template class Network<float>;
template class Network<double>;

std::string instruction_set() { return kernels::active_name(); }

std::vector<std::string> instruction_sets() { return kernels::available(); }

}  // namespace chainrule
