// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "engine/multiply_adds.hpp"
#include "engine/threads/thread_count.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

using Act = Activation::Kind;

/// A network and a loss whose gradients are compared with differences of the loss.
struct Example {
  std::string name;
  Layers layers;
  Loss loss;
  bool training = false;
};

constexpr int64_t kRows = 6;
constexpr int64_t kInputs = 5;
constexpr int64_t kOutputs = 4;

std::vector<Example> examples() {
  std::vector<Example> all;
  const Loss squares = Loss::defaults(Loss::Kind::mse);
  for (const std::string& kind : Activation::kinds()) {
    const Activation activation = Activation::from_config({kind, {}});
    all.push_back(
        {kind, {Dense(7, activation), ActivationLayer(activation), dense(kOutputs)}, squares});
  }
  for (const std::string& kind : Loss::kinds())
    all.push_back({kind, {dense(7, Act::tanh), dense(kOutputs)}, Loss::from_config({kind, {}})});
  Loss smoothed = Loss::defaults(Loss::Kind::cross_entropy);
  smoothed.options = Loss::CrossEntropy{0.125};
  all.push_back({"contained softmax", {dense(kOutputs, Act::softmax)}, smoothed});
  all.push_back({"contained sigmoid",
                 {dense(7), dense(kOutputs, Act::sigmoid)},
                 Loss::defaults(Loss::Kind::binary_cross_entropy)});
  Loss quantiles = Loss::defaults(Loss::Kind::quantile);
  quantiles.options = Loss::Quantile{{0.125, 0.5}};
  all.push_back({"two quantiles", {dense(7, Act::tanh), dense(2 * kOutputs)}, quantiles});

  for (const bool training : {false, true}) {
    const std::string mode = training ? " in training" : " in inference";
    all.push_back(
        {"batch normalisation" + mode,
         {BatchNormalization(), dense(7, Act::tanh), BatchNormalization(), dense(kOutputs)},
         squares,
         training});
    all.push_back({"dropout" + mode,
                   {dense(9, Act::gelu), Dropout(0.5), dense(kOutputs)},
                   squares,
                   training});
  }
  BatchNormalization bare;
  bare.center = bare.scale = false;
  all.push_back(
      {"bare batch normalisation", {BatchNormalization(bare), dense(kOutputs)}, squares, true});
  all.push_back({"layer normalisation",
                 {LayerNormalization(), dense(7, Act::tanh), LayerNormalization(), dense(kOutputs)},
                 squares});
  all.push_back({"rescaling",
                 {Rescaling(0.5, 1.0), dense(7, Act::tanh), Rescaling(-2.0, 0.25), dense(kOutputs)},
                 squares});
  all.push_back({"normalization", {Normalization(), dense(kOutputs)}, squares});
  return all;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double squares = 0.0, scale = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    squares += (a[i] - b[i]) * (a[i] - b[i]);
    scale += a[i] * a[i] + b[i] * b[i];
  }
  return std::sqrt(squares / std::max(scale, 1e-300));
}

/// d loss / d values[i] by fourth-order central differences, for each i.
template <class LossAt>
std::vector<double> differences(std::vector<double> values, LossAt loss_at) {
  constexpr double h = 1e-3;
  std::vector<double> derivatives;
  for (double& value : values) {
    const double middle = value;
    const auto moved = [&](double by) {
      value = middle + by;
      return loss_at(values);
    };
    const double near_pair = moved(h) - moved(-h);
    const double far_pair = moved(2 * h) - moved(-2 * h);
    derivatives.push_back((8 * near_pair - far_pair) / (12 * h));
    value = middle;
  }
  loss_at(values);
  return derivatives;
}

std::vector<double> set_off(std::vector<double> values, uint64_t seed) {
  Draws draws(seed);
  for (double& v : values) v += draws.uniform(-0.25, 0.25);
  return values;
}

void check_gradients(const Example& e) {
  DataSet data(kRows, kInputs, kOutputs, 23);
  const TargetsView y = data.by_row();
  Network<double> network(e.layers, kInputs, 31);
  uint64_t seed = 1;
  for (const ParameterInfo& info : network.parameters())
    network.set_parameter(info.name, set_off(parameter(network, info), seed++).data());

  std::vector<double> dx(kRows * kInputs);
  const auto loss = [&] {
    return network.compute_gradients(data.inputs_view(), y, e.loss, e.training, 1, dx.data());
  };
  loss();
  const std::vector<double> dx_now = dx;
  std::vector<std::vector<double>> kept;
  std::vector<ParameterInfo> trained;
  for (const ParameterInfo& info : network.parameters()) {
    if (!info.trainable) continue;
    trained.push_back(info);
    kept.push_back(gradient(network, info));
  }
  for (size_t p = 0; p < trained.size(); ++p) {
    CAPTURE(trained[p].name);
    const auto derivatives = differences(parameter(network, trained[p]), [&](const auto& values) {
      network.set_parameter(trained[p].name, values.data());
      return loss();
    });
    // A bias before a normalisation has no effect and a gradient of roundings only.
    double largest = 0.0;
    for (const double g : derivatives) largest = std::max(largest, std::abs(g));
    if (largest > 1e-9) CHECK(distance(kept[p], derivatives) <= 1e-7);
    if (largest <= 1e-9)
      for (const double g : kept[p]) CHECK(std::abs(g) < 1e-9);
  }
  const auto derivatives = differences(data.x, [&](const auto& values) {
    data.x = values;
    return loss();
  });
  CHECK(distance(dx_now, derivatives) <= 1e-7);
}

/// forward, the loss's own gradient and backward, step by step, in the place of compute_gradients.
template <class T>
void check_by_hand(int threads) {
  const DataSet data(29, 37, 5);
  const Layers layers{Rescaling(0.5), dense(353, Act::relu), BatchNormalization(),
                      Dropout(0.25),  dense(329, Act::tanh), LayerNormalization(),
                      dense(5)};
  REQUIRE(engine::worthwhile_threads(engine::multiply_adds(Graph::chain(layers, 37)), 29) >= 4);
  const Loss loss = Loss::defaults(Loss::Kind::cross_entropy);
  Network<T> at_once(layers, 37, 3), by_hand(layers, 37, 3);
  const auto x = data.inputs_view();
  const auto size = static_cast<size_t>(data.rows);
  std::vector<T> dx(size * 37), dx_by_hand(dx.size()), z(size * 5), dz(z.size());
  const double expected =
      at_once.compute_gradients(x, data.by_label(), loss, true, threads, dx.data());
  by_hand.forward(x, true, threads, z.data());
  CHECK_FALSE(by_hand.has_gradients());
  CHECK(loss_and_gradient(loss, z.data(), data.rows, 5, data.by_label(), dz.data()) == expected);
  by_hand.backward(view(dz.data(), data.rows, 5), dx_by_hand.data());
  CHECK(by_hand.has_gradients());
  CHECK(same_bits(dx_by_hand, dx));
  for (const ParameterInfo& info : at_once.parameters())
    if (info.trainable) CHECK(same_bits(gradient(by_hand, info), gradient(at_once, info)));
  CHECK(Snapshot<T>(by_hand) == Snapshot<T>(at_once));

  Optimizer rule = optimizer(Optimizer::Kind::adam, 0.01);
  rule.clip_norm = 0.5;
  by_hand.step(rule, 0.0);
  at_once.step(rule, 0.01);
  CHECK(Snapshot<T>(by_hand) == Snapshot<T>(at_once));
  Network<T> trained(layers, 37, 3);
  EpochOptions o;
  o.batch_size = data.rows;
  o.shuffle = false;
  o.whole_epoch = false;
  o.num_threads = threads;
  trained.run_epoch(x, data.by_label(), loss, rule, o);
  CHECK(Snapshot<T>(by_hand) == Snapshot<T>(trained));
}

}  // namespace

TEST_CASE("gradients are the loss's differences") {
  for (const Example& example : examples()) {
    CAPTURE(example.name);
    check_gradients(example);
  }
}

TEST_CASE("the chain rule by hand gives the bits of compute_gradients and of training") {
  for (const int threads : {1, 4}) {
    check_by_hand<float>(threads);
    check_by_hand<double>(threads);
  }
}

TEST_CASE("backward may be repeated, and goes with the last forward") {
  const DataSet data(6, 5, 4);
  Network<double> network({dense(7, Act::tanh), BatchNormalization(), dense(4)}, 5, 1);
  const auto dy = view(data.targets.data(), 6, 4);
  std::vector<double> first(30), second(30);
  network.forward(data.inputs_view(), true, 1, nullptr);
  network.backward(dy, first.data());
  const auto g = gradient(network, network.parameters()[0]);
  network.backward(dy, second.data());
  CHECK(same_bits(first, second));
  CHECK(same_bits(gradient(network, network.parameters()[0]), g));
  network.forward(view(data.x.data(), 3, 5), true, 1, nullptr);
  CHECK_THROWS_WITH_AS(network.backward(dy, nullptr), doctest::Contains("(6, 4)"), Error);
  network.backward(view(data.targets.data(), 3, 4), nullptr);
}

TEST_CASE("calls at the wrong moment are errors") {
  const DataSet data(6, 5, 4);
  Network<double> network({dense(4)}, 5, 1);
  std::vector<double> values(20);
  const auto dy = view(data.targets.data(), 6, 4);
  const Optimizer sgd = optimizer(Optimizer::Kind::sgd, 0.1);
  CHECK_THROWS_AS(network.backward(dy, nullptr), StateError);
  CHECK_THROWS_AS(network.get_gradient("0.weight", values.data()), StateError);
  CHECK_THROWS_AS(network.step(sgd, 0.0), StateError);

  network.forward(data.inputs_view(), true, 1, nullptr);
  CHECK_THROWS_AS(network.step(sgd, 0.0), StateError);
  network.backward(dy, nullptr);
  CHECK_THROWS_AS(network.step(sgd, -1.0), Error);
  network.step(sgd, 0.0);
  // The forward pass was one of other weights.
  CHECK_THROWS_AS(network.backward(dy, nullptr), StateError);

  network.forward(data.inputs_view(), true, 1, nullptr);
  network.set_parameter("0.weight", values.data());
  CHECK_THROWS_AS(network.backward(dy, nullptr), StateError);
  network.forward(data.inputs_view(), true, 1, nullptr);
  network.run_epoch(data.inputs_view(), data.by_row(), Loss::defaults(Loss::Kind::mse), sgd, {});
  CHECK_THROWS_AS(network.backward(dy, nullptr), StateError);
  CHECK_FALSE(network.has_gradients());
}

TEST_CASE_TEMPLATE("gradients that are set are what a step takes", T, float, double) {
  Network<T> one({dense(4, Act::tanh), dense(2)}, 3, 1);
  Network<T> other(one);
  const DataSet data(6, 3, 2);
  const Optimizer sgd = optimizer(Optimizer::Kind::sgd, 0.1);
  one.compute_gradients(data.inputs_view(), data.by_row(), mse(), true, 1, nullptr);
  for (const ParameterInfo& info : one.parameters())
    other.set_gradient(info.name, gradient(one, info).data());
  one.step(sgd, 0.0);
  other.step(sgd, 0.0);
  CHECK(Snapshot<T>(one) == Snapshot<T>(other));
  Network<T> fresh({dense(2), BatchNormalization()}, 3, 1);
  std::vector<T> bias{T(1), T(2)};
  CHECK_THROWS_WITH_AS(fresh.set_gradient("1.running_mean", bias.data()),
                       "1.running_mean is not trained and has no gradient", Error);
  CHECK(!fresh.has_gradients());
  fresh.set_gradient("0.bias", bias.data());
  CHECK(gradient(fresh, fresh.parameters()[0]) == std::vector<T>(6));
  bias[1] = std::numeric_limits<T>::infinity();
  CHECK_THROWS_AS(fresh.set_gradient("0.bias", bias.data()), Error);
  CHECK(gradient(fresh, fresh.parameters()[1]) == std::vector<T>{T(1), T(2)});
}

TEST_CASE("activations are what the layers gave, as predict_first gives it") {
  const DataSet data(9, 41, 5);
  Network<float> network(odd_layers(), 41, 7);
  std::vector<float> found(9 * 211);
  CHECK(network.activation_rows() == 0);
  CHECK_THROWS_AS(network.get_activation(0, found.data()), StateError);
  network.forward(data.inputs_view(), false, 2, nullptr);
  CHECK(network.activation_rows() == 9);
  for (int64_t layer = 0; layer < 9; ++layer) {
    const Graph& graph = network.graph();
    const int64_t columns = graph.node(graph.layer_node_index(layer)).shape.columns();
    found.assign(static_cast<size_t>(9 * columns), 0.0f);
    CHECK(network.get_activation(layer, found.data()));
    std::vector<float> first(found.size());
    network.predict_first(layer + 1, data.inputs_view(), 4, 2, first.data());
    CHECK(same_bits(first, found));
  }
  CHECK(same_bits(found, network.predict(data.inputs_view())));
  CHECK_THROWS_AS(network.get_activation(9, found.data()), Error);
  for (const int64_t layers : {0, 10})
    CHECK_THROWS_AS(network.predict_first(layers, data.inputs_view(), 4, 1, found.data()), Error);
}

TEST_CASE_TEMPLATE("interpolate is p + tau (q - p) of all parameters", T, float, double) {
  const DataSet data(20, 41, 5);
  Network<T> q(odd_layers(), 41, 7);
  q.run_epoch(data.inputs_view(), data.by_label(), cross_entropy(),
              optimizer(Optimizer::Kind::adam, 1e-2), options(5));
  for (const double tau : {0.0, 0.005, 0.5, 1.0}) {
    Network<T> p(odd_layers(), 41, 8);
    const Network<T> before(p);
    p.interpolate(q, tau);
    int different = 0;
    for (const ParameterInfo& info : p.parameters()) {
      const std::vector<T> now = parameter(p, info), from = parameter(before, info),
                           to = parameter(q, info);
      for (size_t i = 0; i < now.size(); ++i) {
        const T step = static_cast<T>(tau) * (to[i] - from[i]);
        different += now[i] != (tau == 1.0 ? to[i] : from[i] + step);
      }
    }
    CHECK(different == 0);
    CHECK(p.steps() == 0);
  }
  Network<T> other({dense(5)}, 41, 8);
  CHECK_THROWS_WITH_AS(other.interpolate(q, 0.5), "the networks have different layers", Error);
  CHECK_THROWS_AS(q.interpolate(q, 1.5), Error);
  // A difference beyond the type's range changes nothing.
  Network<T> low({dense(1)}, 1, 0), high({dense(1)}, 1, 0);
  const T most = std::numeric_limits<T>::max(), least = -most;
  low.set_parameter("0.weight", &least);
  high.set_parameter("0.weight", &most);
  CHECK_THROWS_AS(low.interpolate(high, 0.5), Error);
  CHECK(parameter(low, "0.weight")[0] == least);
  low.interpolate(high, 1.0);
  CHECK(parameter(low, "0.weight")[0] == most);
}

TEST_CASE("outputs in the memory of x are refused, and whatever strides x has") {
  std::vector<float> memory(200);
  const Network<float> network({dense(3)}, 3, 0);
  RowsView x = view(memory.data() + 60, 10, 3);
  const auto refused = [&](int64_t first) {
    try {
      network.predict(x, 4, 1, memory.data() + first);
    } catch (const Error&) {
      return true;
    }
    return false;
  };
  CHECK(!refused(30));
  CHECK(refused(31));
  CHECK(refused(60));
  CHECK(refused(89));
  CHECK(!refused(90));
  x.data = memory.data() + 87;
  x.row_stride = -x.row_stride;
  CHECK(!refused(30));
  CHECK(refused(31));
  CHECK(refused(89));
  CHECK(!refused(90));
}

TEST_CASE("no results are written to the memory of what they are worked out from") {
  std::vector<float> memory(200, 0.5f);
  Network<float> network({dense(3)}, 3, 0);
  const RowsView x = view(memory.data(), 10, 3);
  const RowsView wanted = view(memory.data() + 30, 10, 3);
  const TargetsView y = targets(wanted);
  const Snapshot<float> before(network);
  EpochOptions o = options(5);
  const auto train = [&](float* outputs) {
    o.outputs = outputs;
    network.run_epoch(x, y, mse(), optimizer(Optimizer::Kind::sgd, 0.1), o);
  };
  for (const auto& [at, what] : {std::pair{29, "x"}, std::pair{59, "y"}}) {
    float* const outputs = memory.data() + at;
    const std::string text = std::string("outputs must not lie in the memory of ") + what;
    CHECK_THROWS_WITH_AS(network.evaluate(x, y, mse(), 4, 1, outputs), text.c_str(), Error);
    CHECK_THROWS_WITH_AS(train(outputs), text.c_str(), Error);
    const std::string gradient = std::string("dx must not lie in the memory of ") + what;
    CHECK_THROWS_WITH_AS(network.compute_gradients(x, y, mse(), true, 1, outputs), gradient.c_str(),
                         Error);
  }
  CHECK_THROWS_WITH_AS(network.forward(x, true, 1, memory.data() + 1),
                       "outputs must not lie in the memory of x", Error);
  network.forward(x, true, 1, memory.data() + 60);
  CHECK_THROWS_WITH_AS(network.backward(wanted, memory.data() + 59),
                       "dx must not lie in the memory of dy", Error);
  CHECK(!network.has_gradients());
  network.backward(wanted, memory.data() + 60);
  CHECK(Snapshot<float>(network) == before);
  CHECK(std::count(memory.begin(), memory.begin() + 60, 0.5f) == 60);
  train(memory.data() + 60);
}
