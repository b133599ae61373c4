// SPDX-License-Identifier: Apache-2.0
// Losses and layers that are functions of the program, beside those of the library.
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "chainrule/any_model.hpp"
#include "chainrule/config.hpp"
#include "chainrule/custom_loss.hpp"
#include "chainrule/error.hpp"
#include "chainrule/lambda.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/network.hpp"
#include "chainrule/optimizers.hpp"
#include "chainrule/predictor.hpp"
#include "doctest/doctest.h"

using namespace chainrule;

namespace {

constexpr std::int64_t kRows = 24;
constexpr std::int64_t kInputs = 5;
constexpr std::int64_t kOutputs = 2;

std::vector<double> numbers(std::int64_t count, double step) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(std::sin(step * static_cast<double>(i)));
  return values;
}

const std::vector<double> kX = numbers(kRows * kInputs, 1.7);
const std::vector<double> kY = numbers(kRows * kOutputs, 0.9);

const auto squared = []<class T>(const LossBatch<T>& batch) {
  const std::int64_t columns = batch.shape.size();
  for (std::int64_t i = 0; i < batch.rows; ++i) {
    T sum = 0;
    for (std::int64_t j = 0; j < columns; ++j) {
      const std::int64_t at = i * columns + j;
      const T d = batch.outputs[at] - batch.targets[at];
      sum += d * d;
      if (batch.gradients) batch.gradients[at] = 2 * d / static_cast<T>(columns);
    }
    batch.losses[i] = sum / static_cast<T>(columns);
  }
};

Lambda rectifier() {
  return Lambda(
      "rectifier",
      [](const auto& pass) {
        for (std::int64_t i = 0; i < pass.rows * pass.x_shape.size(); ++i)
          pass.y[i] = pass.x[i] > 0 ? pass.x[i] : 0;
      },
      [](const auto& pass) {
        for (std::int64_t i = 0; i < pass.rows * pass.x_shape.size(); ++i)
          pass.dx[i] = pass.x[i] > 0 ? pass.dy[i] : 0;
      });
}

template <class T>
Network<T> trained(const AnyLayer& middle, const Loss& loss, int threads) {
  Network<T> network({Dense(300), middle, BatchNormalization(), Dense(kOutputs)}, kInputs, 1);
  EpochOptions options;
  options.batch_size = 16;
  options.num_threads = threads;
  for (int epoch = 0; epoch < 3; ++epoch)
    network.run_epoch(view(kX, kInputs), targets(view(kY, kOutputs)), loss, Adam{}, options);
  return network;
}

template <class T>
std::vector<T> weights(const Network<T>& network) {
  std::vector<T> all;
  for (const ParameterInfo& info : network.parameters()) {
    std::vector<T> values(static_cast<std::size_t>(info.shape.size()));
    network.get_parameter(info.name, values.data());
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace

TEST_CASE_TEMPLATE("A function trains as the loss and the layer that it is", T, float, double) {
  const Loss mse = Loss::defaults(Loss::Kind::mse);
  const Loss own = Loss::custom("squared", squared);
  const std::vector<T> expected = weights(trained<T>(ActivationLayer("relu"), mse, 1));
  const std::vector<T> by_layer = weights(trained<T>(rectifier(), mse, 2));
  CHECK(by_layer == expected);
  const std::vector<T> by_loss = weights(trained<T>(ActivationLayer("relu"), own, 1));
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(by_loss[i] == doctest::Approx(expected[i]).epsilon(1e-3));
  for (const int threads : {2, 3, 7})
    CHECK(weights(trained<T>(rectifier(), own, threads)) == by_loss);
}

TEST_CASE("What a function throws comes out of the call, and nothing has changed") {
  const Loss mse = Loss::defaults(Loss::Kind::mse);
  int calls = 0;
  const Loss fails = Loss::custom("fails", [&calls](const LossBatch<float>& batch) {
    if (++calls == 2) throw std::runtime_error("from the function");
    squared(batch);
  });
  Network<float> network = trained<float>(ActivationLayer("relu"), mse, 1);
  Network<float> twin(network);
  EpochOptions options;
  options.batch_size = kRows;
  const auto epoch = [&](Network<float>& net, const Loss& loss) {
    net.run_epoch(view(kX, kInputs), targets(view(kY, kOutputs)), loss, Adam{}, options);
  };
  calls = 1;
  CHECK_THROWS_WITH_AS(epoch(network, fails), "from the function", std::runtime_error);
  CHECK(weights(network) == weights(twin));
  // The batches before stay.
  options.batch_size = 16;
  calls = 0;
  CHECK_THROWS_WITH_AS(epoch(network, fails), "from the function", std::runtime_error);
  CHECK(network.total_steps() == twin.total_steps() + 1);
  network.restore_epoch();
  CHECK(weights(network) == weights(twin));
  calls = 1;
  CHECK_THROWS_AS(
      network.evaluate(view(kX, kInputs), targets(view(kY, kOutputs)), fails, kRows, 2, nullptr),
      std::runtime_error);
  epoch(network, mse);
  epoch(twin, mse);
  CHECK(weights(network) == weights(twin));
}

TEST_CASE("Functions are the same where they are copies") {
  const Loss loss = Loss::custom("squared", squared);
  const Loss& copy = loss;
  CHECK(copy == Loss(loss));
  CHECK_FALSE(loss == Loss::custom("squared", squared));
  CHECK(to_json(loss.config()) == R"({"kind": "custom", "name": "squared"})");
  CHECK_THROWS_AS(Loss::from_config(loss.config()), Error);
  CHECK_THROWS_AS((Loss{Loss::Kind::custom, {}}.check()), Error);

  Config config;
  {
    const Lambda lambda = rectifier();
    config = lambda.config();
    CHECK(Layer::from_config(config)->config() == config);
    CHECK_FALSE(rectifier().config() == config);
  }
  CHECK_THROWS_AS(Layer::from_config(config), Error);
}

TEST_CASE("A function has to take the network's numbers") {
  const Loss single = Loss::custom("single", [](const LossBatch<float>&) {});
  const Network<double> network({Dense(kOutputs)}, kInputs, 1);
  CHECK_THROWS_WITH_AS(
      network.evaluate(view(kX, kInputs), targets(view(kY, kOutputs)), single, kRows, 1, nullptr),
      "loss 'single' is no function of a LossBatch<double>", Error);
}

TEST_CASE("What cannot hold functions names the node") {
  const Network<float> network({Dense(4), rectifier()}, kInputs, 1);
  const char* text = "node '1' is a Lambda";
  CHECK_THROWS_WITH_AS(model_bytes(network, {}), doctest::Contains(text), Error);
  CHECK_THROWS_WITH_AS(Predictor<float>{network}, doctest::Contains(text), Error);
  const Network<float> plain({Dense(4)}, kInputs, 1);
  TrainingState training;
  training.loss = Loss::custom("squared", squared);
  CHECK_THROWS_WITH_AS(model_bytes(plain, training), doctest::Contains("'squared'"), Error);
}

TEST_CASE("A loss of several positions is the mean over them, as over rows") {
  constexpr std::int64_t time = 4;
  constexpr std::int64_t rows = kRows / time;
  const std::vector<std::int64_t> classes{0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1,
                                          0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1};
  Graph graph;
  graph.output(graph.add(Dense(kOutputs), graph.input({time, kInputs})));
  Network<double> over_time(graph, 1);
  Network<double> flat({Dense(kOutputs)}, kInputs, 1);
  const Loss loss = Loss::defaults(Loss::Kind::cross_entropy);
  EpochOptions options;
  options.shuffle = false;
  options.batch_size = 2;
  over_time.run_epoch(view(kX, time * kInputs), labels(classes, time), loss, Adam{}, options);
  options.batch_size = 2 * time;
  flat.run_epoch(view(kX, kInputs), labels(classes), loss, Adam{}, options);
  CHECK(weights(over_time) == weights(flat));
  CHECK(labels(classes, time).rows == rows);
  CHECK_THROWS_AS(labels(classes, 5), Error);
  CHECK_THROWS_WITH_AS(
      over_time.check(view(kX, time * kInputs), labels({classes.data(), rows}), loss),
      doctest::Contains("one for each position"), Error);
}
