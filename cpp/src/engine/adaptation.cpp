// SPDX-License-Identifier: Apache-2.0
// Normalization layers take their statistics from data.
#include <cmath>

#include "engine/network_state.hpp"
#include "engine/threads.hpp"

namespace chainrule {

template <class T>
void Network<T>::adapt(std::int64_t layer, const RowsView& x) {
  State& s = *state_;
  const InUse guard(s.busy);
  s.check_table(x);
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
  s.forward_step.reset();
}

template void Network<float>::adapt(std::int64_t, const RowsView&);
template void Network<double>::adapt(std::int64_t, const RowsView&);

}  // namespace chainrule
