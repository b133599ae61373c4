// SPDX-License-Identifier: Apache-2.0
#include "chainrule/network.hpp"

#include <cmath>

#include "engine/network_state.hpp"
#include "engine/threads.hpp"

namespace chainrule {
namespace {

std::int64_t outputs_of(const std::vector<std::shared_ptr<const Layer>>& layers,
                        std::int64_t inputs) {
  if (layers.empty()) throw Error("a network needs at least one layer");
  if (inputs < 1) throw Error("a network needs at least one input, got " + std::to_string(inputs));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!layers[i]) throw Error("layer " + std::to_string(i) + " is null");
    inputs = layers[i]->outputs(inputs);
  }
  return inputs;
}

}  // namespace

template <class T>
Network<T>::State::State(std::vector<std::shared_ptr<const Layer>> layers_, std::int64_t inputs_,
                         std::uint64_t seed_, InitialValues values)
    : layers(std::move(layers_)),
      inputs(inputs_),
      outputs(outputs_of(layers, inputs)),
      seed(seed_),
      multiply_adds(engine::multiply_adds(layers, inputs)),
      kernels(kernels::table<T>(kernels::active())),
      parameters(layers, inputs, kernels.panel) {
  if (values == InitialValues::drawn) parameters.initialize(seed);
  for (const engine::Parameter& p : parameters.list()) {
    infos.push_back(
        {p.name, p.layer, p.spec.rows, p.spec.columns, !p.spec.matrix, p.spec.trainable});
  }
}

template <class T>
Network<T>::State::State(const State& other)
    : layers(other.layers),
      inputs(other.inputs),
      outputs(other.outputs),
      seed(other.seed),
      multiply_adds(other.multiply_adds),
      kernels(other.kernels),
      parameters(other.parameters),
      infos(other.infos),
      optimizer(other.optimizer),
      total_steps(other.total_steps),
      epochs(other.epochs) {}

template <class T>
int Network<T>::State::threads_for(std::int64_t rows, int wanted) const {
  const int worthwhile = engine::worthwhile_threads(multiply_adds, rows);
  if (worthwhile == 1) return 1;
  return std::min(worthwhile, wanted > 0 ? wanted : engine::default_threads());
}

template <class T>
void Network<T>::State::need_gradients() {
  if (gradients.empty()) gradients = engine::Buffer<T>(parameters.arena_size());
  if (!stored_update)
    stored_update = std::make_unique<engine::StoredUpdate<T>>(kernels, parameters);
}

template <class T>
CompiledLoss<T>& Network<T>::State::compile(std::unique_ptr<CompiledLoss<T>>& slot,
                                            const Loss& loss, const engine::PlanOptions& options) {
  if (!slot || !(slot->loss == loss) || slot->plan.batch_size() != options.batch_size ||
      slot->plan.threads() != options.threads) {
    slot.reset();
    slot.reset(
        new CompiledLoss<T>{loss, engine::Plan<T>(kernels, layers, parameters, inputs, options),
                            engine::LossStage<T>(kernels, loss, outputs, options.batch_size)});
  }
  slot->plan.refresh();
  return *slot;
}

template <class T>
void Network<T>::State::check_input(const RowsView& x) const {
  if (x.rows < 1) throw Error("x is empty: it has " + std::to_string(x.rows) + " rows");
  if (x.columns != inputs) {
    throw Error("x has " + std::to_string(x.columns) + " columns; the network expects " +
                std::to_string(inputs));
  }
}

template <class T>
void Network<T>::State::check_table(const RowsView& x) const {
  check_input(x);
  if (x.compressed())
    throw Error("x is sparse, which this does not take: training, evaluation and prediction do");
}

template <class T>
void Network<T>::State::check_targets(const RowsView& x, const TargetsView& y,
                                      const Loss& loss) const {
  check_input(x);
  if (y.rows != x.rows) {
    throw Error("x has " + std::to_string(x.rows) + " rows but y has " + std::to_string(y.rows));
  }
  engine::LossStage<T>::check(loss, y, outputs);
}

template <class T>
Network<T>::Network(std::vector<std::shared_ptr<const Layer>> layers, std::int64_t inputs,
                    std::uint64_t seed, InitialValues values)
    : state_(std::make_unique<State>(std::move(layers), inputs, seed, values)) {}

template <class T>
Network<T>::Network(std::initializer_list<AnyLayer> layers, std::int64_t inputs, std::uint64_t seed)
    : Network(std::vector<std::shared_ptr<const Layer>>(layers.begin(), layers.end()), inputs,
              seed) {}

template <class T>
Network<T>::Network(const Network& other) {
  const InUse guard(other.state_->busy);
  state_ = std::make_unique<State>(*other.state_);
}

template <class T>
Network<T>::~Network() = default;

template <class T>
const std::vector<std::shared_ptr<const Layer>>& Network<T>::layers() const {
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

template <class T>
const std::vector<ParameterInfo>& Network<T>::parameters() const {
  return state_->infos;
}

template <class T>
void Network<T>::get_parameter(const std::string& name, T* values) const {
  const InUse guard(state_->busy);
  state_->parameters.unpack(state_->parameters.named(name), state_->parameters.values.data(),
                            values);
}

template <class T>
void Network<T>::set_parameter(const std::string& name, const T* values) {
  const InUse guard(state_->busy);
  const engine::Parameter& p = state_->parameters.named(name);
  for (std::int64_t i = 0; i < p.spec.rows * p.spec.columns; ++i) {
    if (!std::isfinite(values[i]))
      throw Error("the values for " + name + " contain NaN or infinity");
  }
  state_->parameters.pack(p, values, state_->parameters.values.data());
  state_->forward_step.reset();
}

template <class T>
void Network<T>::check(const RowsView& x, const TargetsView& y, const Loss& loss) const {
  state_->check_targets(x, y, loss);
}

template <class T>
void Network<T>::adapt(std::int64_t layer, const RowsView& x) {
  State& s = *state_;
  const InUse guard(s.busy);
  s.check_table(x);
  const engine::Parameter* mean = s.parameters.find(layer, "mean");
  const engine::Parameter* variance = s.parameters.find(layer, "variance");
  if (!mean || !variance)
    throw Error("layer " + std::to_string(layer) + " has no mean and variance to adapt");
  const std::vector<std::shared_ptr<const Layer>> below(s.layers.begin(), s.layers.begin() + layer);
  const std::int64_t chunk = std::min<std::int64_t>(x.rows, 256);
  engine::Plan<T> plan(s.kernels, below, s.parameters, s.inputs, {.batch_size = chunk});
  plan.refresh();
  plan.choose_path(x, InputSparsity::dense);
  const auto columns = static_cast<std::size_t>(mean->spec.columns);
  std::vector<double> means(columns, 0.0);
  std::vector<double> squares(columns, 0.0);
  const auto each_row = [&](const auto& visit) {
    engine::run_team(1, [&](engine::Team team) {
      engine::Flow flow(team);
      for (std::int64_t first = 0; first < x.rows; first += chunk) {
        engine::Step<T> step;
        step.rows = std::min(chunk, x.rows - first);
        plan.load(flow, step, x, nullptr, first);
        plan.forward(flow, step);
        for (std::int64_t i = 0; i < step.rows; ++i) visit(plan.result().row(i));
      }
    });
  };
  each_row([&](const T* row) {
    for (std::size_t j = 0; j < columns; ++j) means[j] += static_cast<double>(row[j]);
  });
  for (double& m : means) m /= static_cast<double>(x.rows);
  each_row([&](const T* row) {
    for (std::size_t j = 0; j < columns; ++j) {
      const double d = static_cast<double>(row[j]) - means[j];
      squares[j] += d * d;
    }
  });
  for (std::size_t j = 0; j < columns; ++j) {
    squares[j] /= static_cast<double>(x.rows);
    if (!std::isfinite(static_cast<T>(squares[j]))) {
      throw Error("the variance of column " + std::to_string(j) + " of x, " +
                  std::to_string(squares[j]) + ", is too large for the network's precision");
    }
  }
  for (std::size_t j = 0; j < columns; ++j) {
    s.parameters.at(mean)[j] = static_cast<T>(means[j]);
    s.parameters.at(variance)[j] = static_cast<T>(squares[j]);
  }
  s.forward_step.reset();
}

template <class T>
PlanInfo Network<T>::plan(std::int64_t batch_size, int num_threads, const RowsView& x,
                          InputSparsity input_sparsity) const {
  State& s = *state_;
  const InUse guard(s.busy);
  if (batch_size < 1) throw Error("batch_size must be >= 1, got " + std::to_string(batch_size));
  engine::PlanOptions options;
  options.batch_size = batch_size;
  options.threads = s.threads_for(batch_size, num_threads);
  options.backward = true;
  engine::Plan<T> plan(s.kernels, s.layers, s.parameters, s.inputs, options);
  if (x.rows > 0) {
    s.check_input(x);
    plan.refresh();
    plan.choose_path(x, input_sparsity);
    return plan.describe();
  }
  PlanInfo info = plan.describe();
  const bool in_use = s.training && s.training->plan.batch_size() == batch_size &&
                      s.training->plan.threads() == options.threads;
  if (in_use) info.input = s.training->plan.describe().input;
  return info;
}

template class Network<float>;
template class Network<double>;

int default_num_threads() { return engine::default_threads(); }

std::string instruction_set() { return kernels::active().f32.name; }

std::string thread_backend() { return engine::thread_backend(); }

std::vector<std::string> instruction_sets() { return kernels::available(); }

}  // namespace chainrule
