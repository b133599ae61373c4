// SPDX-License-Identifier: Apache-2.0
// Ensembles: members that draw and learn as they would alone, and the mean that they give.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/graph.hpp"
#include "chainrule/graph_config.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/merge_layers.hpp"
#include "chainrule/network.hpp"
#include "chainrule/optimizers.hpp"
#include "chainrule/predictor.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using chainrule::testing::DataSet;

constexpr std::uint64_t kSeed = 11;

std::vector<AnyLayer> layers() { return {Dense(6, "relu"), Dropout(0.4), Dense(3, "softmax")}; }

/// Two members called "1/..." and "2/...".
Graph two_members() {
  Graph graph;
  const Graph::Tensor x = graph.input(4, "x");
  std::vector<Graph::Tensor> ends;
  for (std::int64_t m = 1; m <= 2; ++m) {
    Graph::Tensor h = x;
    std::int64_t index = 0;
    for (const AnyLayer& layer : layers()) {
      const std::string name = std::to_string(m) + "/" + std::to_string(index++);
      h = graph.add(layer, h, name);
      graph.set_member(name, m);
    }
    ends.push_back(h);
  }
  graph.output(graph.add(Average(true), ends, "mean"));
  return graph;
}

double train(Network<double>& network, const DataSet& data) {
  EpochOptions options;
  options.batch_size = 16;
  options.shuffle = false;
  options.num_threads = 2;
  double loss = 0.0;
  for (int epoch = 0; epoch < 2; ++epoch)
    loss = network
               .run_epoch(data.inputs_view(), data.by_label(),
                          Loss::defaults(Loss::Kind::cross_entropy), Adam{1e-2}, options)
               .loss;
  return loss;
}

std::vector<double> values_of(const Network<double>& network, const std::string& name) {
  for (const ParameterInfo& info : network.parameters()) {
    if (info.name != name) continue;
    std::vector<double> values(static_cast<std::size_t>(info.shape.size()));
    network.get_parameter(name, values.data());
    return values;
  }
  FAIL("no parameter " << name);
  return {};
}

}  // namespace

TEST_CASE("a member of an ensemble has the bits of the network alone") {
  const DataSet data(50, 4, 3);
  Network<double> network(two_members(), kSeed);
  const double loss = train(network, data);
  double sum = 0.0;
  for (std::uint64_t m = 1; m <= 2; ++m) {
    Network<double> alone(layers(), 4, kSeed + m - 1);
    sum += train(alone, data);
    for (const char* name : {"0.weight", "0.bias", "2.weight", "2.bias"}) {
      CAPTURE(name);
      CHECK(values_of(network, std::to_string(m) + "/" + name) == values_of(alone, name));
    }
  }
  CHECK(loss == doctest::Approx(sum / 2));
}

TEST_CASE("an ensemble gives the mean of probabilities, and its loss is that of the mean") {
  const DataSet data(20, 4, 3);
  Network<double> network(two_members(), kSeed);
  const std::vector<double> given = network.predict(data.inputs_view());
  std::vector<double> mean(given.size(), 0.0);
  for (std::uint64_t m = 1; m <= 2; ++m) {
    const Network<double> alone(layers(), 4, kSeed + m - 1);
    const std::vector<double> own = alone.predict(data.inputs_view());
    for (std::size_t i = 0; i < own.size(); ++i) mean[i] += own[i] / 2;
  }
  double loss = 0.0;
  for (std::size_t i = 0; i < mean.size(); ++i) CHECK(given[i] == doctest::Approx(mean[i]));
  for (std::int64_t i = 0; i < data.rows; ++i)
    loss -=
        std::log(mean[static_cast<std::size_t>(i * 3 + data.labels[static_cast<std::size_t>(i)])]);
  const Loss cross_entropy = Loss::defaults(Loss::Kind::cross_entropy);
  CHECK(network.evaluate(data.inputs_view(), data.by_label(), cross_entropy, 8, 2, nullptr) ==
        doctest::Approx(loss / static_cast<double>(data.rows)));
  // The link is in the members already.
  Predictor<double> predictor(network, Loss::Link::softmax);
  std::vector<double> row(3);
  Predictor<double>::Scratch scratch(predictor);
  predictor.predict(data.x.data(), row.data(), scratch);
  for (std::size_t j = 0; j < 3; ++j) CHECK(row[j] == doctest::Approx(mean[j]));
}

TEST_CASE("descriptions keep members") {
  Graph graph = two_members();
  const Graph again = Graph::from_config(graph_config_from_json(to_json(graph.config())));
  CHECK(same_structure(graph, again));
  graph.set_member("2/1", 1);
  CHECK_FALSE(same_structure(graph, again));
  CHECK_THROWS_WITH_AS(graph.set_member("2/1", -1), "the member of node '2/1' must be >= 0, got -1",
                       Error);
  CHECK_THROWS_WITH_AS(graph.set_member("x", 1), "input 'x' is no layer of a member", Error);
}
