// SPDX-License-Identifier: Apache-2.0
// Normalization layers take their statistics from data.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/network_state.hpp"
#include "engine/threads.hpp"

namespace chainrule {

template <class T>
std::vector<std::int64_t> Network<T>::State::normalizations() const {
  std::vector<std::int64_t> found;
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (layers[i]->kind() == "normalization") found.push_back(static_cast<std::int64_t>(i));
  return found;
}

template <class T>
void Network<T>::State::adapt(std::int64_t layer, const RowsView& x) {
  State& s = *this;
  const engine::Parameter* mean = s.parameters.find(layer, "mean");
  const engine::Parameter* variance = s.parameters.find(layer, "variance");
  if (!mean || !variance)
    throw Error("layer " + std::to_string(layer) + " has no mean and variance to adapt");
  const std::vector<AnyLayer> below(s.layers.begin(), s.layers.begin() + layer);
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
  std::erase(s.unadapted, layer);
  s.forward_step.reset();
}

template <class T>
void Network<T>::State::adapt(const std::vector<std::int64_t>& chosen, const RowsView& x) {
  if (chosen.empty()) return;
  check_table(x);
  check_finite<T>(x, "x");
  if (chosen.size() == 1) return adapt(chosen.front(), x);
  // Each takes its statistics from what the ones before it make of x.
  engine::Buffer<T> values(parameters.arena_size());
  values.copy_from(parameters.values);
  std::vector<std::int64_t> unadapted_before = unadapted;
  try {
    for (const std::int64_t layer : chosen) adapt(layer, x);
  } catch (...) {
    parameters.values.copy_from(values);
    unadapted.swap(unadapted_before);
    throw;
  }
}

template <class T>
void Network<T>::adapt(std::int64_t layer, const RowsView& x) {
  const InUse guard(state_->busy);
  state_->adapt(std::vector{layer}, x);
}

template <class T>
void Network<T>::adapt(const RowsView& x) {
  const InUse guard(state_->busy);
  state_->adapt(state_->normalizations(), x);
}

template <class T>
void Network<T>::adapt_remaining(const RowsView& x) {
  const InUse guard(state_->busy);
  state_->adapt(std::vector<std::int64_t>(state_->unadapted), x);
}

template <class T>
bool Network<T>::adapted() const {
  const InUse guard(state_->busy);
  return state_->unadapted.empty() && !state_->normalizations().empty();
}

template <class T>
void Network<T>::set_adapted(bool adapted) {
  const InUse guard(state_->busy);
  state_->unadapted = adapted ? std::vector<std::int64_t>{} : state_->normalizations();
}

#define CHAINRULE_INSTANTIATE(T)                                                             \
  template std::vector<std::int64_t> Network<T>::State::normalizations() const;              \
  template void Network<T>::State::adapt(std::int64_t, const RowsView&);                     \
  template void Network<T>::State::adapt(const std::vector<std::int64_t>&, const RowsView&); \
  template void Network<T>::adapt(std::int64_t, const RowsView&);                            \
  template void Network<T>::adapt(const RowsView&);                                          \
  template void Network<T>::adapt_remaining(const RowsView&);                                \
  template bool Network<T>::adapted() const;                                                 \
  template void Network<T>::set_adapted(bool);

CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)

}  // namespace chainrule
