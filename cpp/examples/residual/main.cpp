// SPDX-License-Identifier: Apache-2.0
// A network of two inputs with residual blocks, made from a graph, trained and asked.
// usage: residual
#include <chainrule/graph.hpp>
#include <chainrule/layers.hpp>
#include <chainrule/merge_layers.hpp>
#include <chainrule/network.hpp>
#include <chainrule/random.hpp>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t kPosition = 2;  // columns of the first input
constexpr std::int64_t kTime = 1;      // and of the second
constexpr std::int64_t kUnits = 32;

/// h + W relu(V h): what a block adds to its input, it learns.
chainrule::Graph::Tensor block(chainrule::Graph& graph, chainrule::Graph::Tensor h,
                               const std::string& name) {
  using namespace chainrule;
  Graph::Tensor change = graph.add(Dense(kUnits, "relu"), h, name + ".first");
  change = graph.add(Dense(kUnits), change, name + ".second");
  return graph.add(Add(), {h, change}, name);
}

chainrule::Graph residual_network() {
  using namespace chainrule;
  Graph graph;
  const Graph::Tensor position = graph.input(kPosition, "position");
  const Graph::Tensor time = graph.input(kTime, "time");
  Graph::Tensor h = graph.add(Concatenate(), {position, time});
  h = graph.add(Dense(kUnits), h, "stem");
  for (int i = 1; i <= 3; ++i) h = block(graph, h, "block" + std::to_string(i));
  graph.output(graph.add(Dense(1), h, "height"));
  return graph;
}

/// A travelling wave.
float height(const float* position, float time) {
  return std::sin(3.0f * position[0] - 2.0f * time) * std::cos(2.0f * position[1]);
}

int run() {
  using namespace chainrule;
  constexpr std::int64_t rows = 4'000;
  RandomStream random(3, RandomUse::shuffle, 0);
  const auto uniform = [&] { return static_cast<float>(2.0 * random.next_uniform() - 1.0); };
  std::vector<float> positions, times, heights;
  for (std::int64_t i = 0; i < rows; ++i) {
    positions.push_back(uniform());
    positions.push_back(uniform());
    times.push_back(uniform());
    heights.push_back(height(positions.data() + kPosition * i, times.back()));
  }
  const std::vector<RowsView> x{view(positions, kPosition), view(times, kTime)};
  const TargetsView y = targets(view(heights, 1));

  Network<float> network(residual_network(), 1);
  const Loss loss = Loss::defaults(Loss::Kind::mse);
  const Optimizer optimizer = Adam{.learning_rate = 2e-3};
  EpochOptions options;
  options.batch_size = 64;
  for (int epoch = 1; epoch <= 30; ++epoch) {
    const EpochResult result = network.run_epoch(x, y, loss, optimizer, options);
    if (epoch % 10 == 0) std::printf("epoch %2d: loss %.5f\n", epoch, result.loss);
  }
  const std::vector<float> predicted = network.predict(x);
  double squares = 0.0;
  for (std::size_t i = 0; i < heights.size(); ++i)
    squares += std::pow(predicted[i] - heights[i], 2.0);
  const double error = std::sqrt(squares / static_cast<double>(rows));
  std::printf("root mean square error %.4f\n", error);
  return error < 0.1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
