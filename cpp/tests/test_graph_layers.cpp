// SPDX-License-Identifier: Apache-2.0
// Layers that merge tensors or change shapes, as nodes of graphs: their numbers, their gradients,
// and their bits.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/predictor.hpp"
#include "random_graphs.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

constexpr int64_t kRows = 5;

std::vector<double> draw_rows(int64_t rows, int64_t columns, uint64_t seed = 3) {
  Draws draws(seed);
  std::vector<double> x(static_cast<size_t>(rows * columns));
  for (double& value : x) value = draws.uniform(-1, 1);
  return x;
}

/// What a graph gives for rows of x, of which each has `size` numbers.
std::vector<double> outputs_of(const Graph& graph, const std::vector<double>& x) {
  const Network<double> network(graph, 1);
  const auto rows = static_cast<int64_t>(x.size()) / network.inputs();
  return network.predict(view(x.data(), rows, network.inputs()));
}

/// One layer on an input of this shape.
std::vector<double> outputs_of(const AnyLayer& layer, const Shape& shape,
                               const std::vector<double>& x) {
  Graph graph;
  graph.output(graph.add(layer, graph.input(shape)));
  return outputs_of(graph, x);
}

/// A layer on the two halves of a flat input, each reshaped.
std::vector<double> merged(const AnyLayer& layer, const std::vector<int64_t>& shape,
                           const std::vector<double>& x) {
  Graph graph;
  const int64_t size = Shape(shape).size();
  const auto halves = graph.add(Reshape({2, size}), graph.input(2 * size));
  const auto flipped = graph.add(Permute({2, 1}), halves);
  // Column 0 is the first half, column 1 the second: picked by products with (1, 0) and (0, 1).
  Dense pick(1);
  pick.use_bias = false;
  const auto a = graph.add(Reshape(shape), graph.add(pick, flipped, "a"));
  const auto b = graph.add(Reshape(shape), graph.add(pick, flipped, "b"));
  graph.output(graph.add(layer, {a, b}));
  Network<double> network(graph, 1);
  const double first[2] = {1, 0}, second[2] = {0, 1};
  network.set_parameter("a.weight", first);
  network.set_parameter("b.weight", second);
  return network.predict(view(x.data(), static_cast<int64_t>(x.size()) / (2 * size), 2 * size));
}

struct Checked {
  double slope;    // of the loss along the direction, by differences
  double product;  // of gradients and the direction
};

/// The derivative of a network's loss along a random direction of rows and parameters at once.
Checked along_a_direction(Network<double>& network, uint64_t seed) {
  Draws draws(seed);
  std::vector<double> x = draw_rows(kRows, network.inputs(), seed);
  const std::vector<double> targets = draw_rows(kRows, network.outputs(), seed + 1);
  TargetsView y;
  y.values = view(targets.data(), kRows, network.outputs());
  y.rows = kRows;
  std::vector<double> dx(x.size());
  const auto loss = [&](double* gradient) {
    return network.compute_gradients(view(x.data(), kRows, network.inputs()), y, mse(), true, 1,
                                     gradient);
  };
  loss(dx.data());
  Checked checked{0, 0};
  struct Moved {
    ParameterInfo info;
    std::vector<double> values, direction;
  };
  std::vector<Moved> moved;
  for (const ParameterInfo& info : network.parameters()) {
    if (!info.trainable) continue;
    Moved m{info, parameter(network, info), {}};
    const std::vector<double> g = gradient(network, info);
    for (const double entry : g) {
      m.direction.push_back(draws.uniform(-1, 1));
      checked.product += entry * m.direction.back();
    }
    moved.push_back(std::move(m));
  }
  const std::vector<double> x_before = x;
  std::vector<double> x_direction;
  for (const double entry : dx) {
    x_direction.push_back(draws.uniform(-1, 1));
    checked.product += entry * x_direction.back();
  }
  const auto loss_at = [&](double step) {
    for (size_t i = 0; i < x.size(); ++i) x[i] = x_before[i] + step * x_direction[i];
    for (const Moved& m : moved) {
      std::vector<double> values = m.values;
      for (size_t i = 0; i < values.size(); ++i) values[i] += step * m.direction[i];
      network.set_parameter(m.info.name, values.data());
    }
    return loss(nullptr);
  };
  constexpr double h = 1e-6;
  checked.slope = (8 * (loss_at(h) - loss_at(-h)) - (loss_at(2 * h) - loss_at(-2 * h))) / (12 * h);
  return checked;
}

TargetsView rows_as_targets(const std::vector<double>& targets, int64_t rows, int64_t columns) {
  TargetsView y;
  y.values = view(targets.data(), rows, columns);
  y.rows = rows;
  return y;
}

template <class T>
Snapshot<T> trained(const Graph& graph, int threads) {
  const DataSet data(75, 120, 5);
  Network<T> network(graph, 3);
  return after_epochs(network, data, cross_entropy(), Optimizer(Adam{}), 2, options(32, threads));
}

}  // namespace

TEST_CASE("merges give what their formulas say") {
  const std::vector<double> x = draw_rows(kRows, 24);
  const std::vector<std::pair<AnyLayer, std::function<double(double, double)>>> merges{
      {Add(), [](double a, double b) { return a + b; }},
      {Subtract(), [](double a, double b) { return a - b; }},
      {Multiply(), [](double a, double b) { return a * b; }},
      {Average(), [](double a, double b) { return (a + b) / 2; }},
      {Maximum(), [](double a, double b) { return std::max(a, b); }},
  };
  for (const auto& merge : merges) {
    CAPTURE(merge.first->kind());
    for (const std::vector<int64_t>& shape :
         {std::vector<int64_t>{12}, std::vector<int64_t>{3, 4}, std::vector<int64_t>{2, 3, 2}}) {
      const std::vector<double> y = merged(merge.first, shape, x);
      REQUIRE(y.size() == 12 * kRows);
      for (size_t i = 0; i < kRows; ++i)
        for (size_t j = 0; j < 12; ++j)
          CHECK(y[12 * i + j] == merge.second(x[24 * i + j], x[24 * i + 12 + j]));
    }
  }
}

TEST_CASE("concatenate puts the rows of each position behind each other") {
  const std::vector<double> x = draw_rows(kRows, 24);
  const std::vector<double> y = merged(Concatenate(), {3, 4}, x);
  REQUIRE(y.size() == 24 * kRows);
  for (size_t i = 0; i < kRows; ++i)
    for (size_t t = 0; t < 3; ++t)
      for (size_t j = 0; j < 8; ++j)
        CHECK(y[24 * i + 8 * t + j] == x[24 * i + 12 * (j / 4) + 4 * t + j % 4]);
}

TEST_CASE("dot multiplies rows with rows") {
  const std::vector<double> x = draw_rows(kRows, 24);
  const std::vector<double> single = merged(Dot(), {12}, x);
  const std::vector<double> each = merged(Dot(), {3, 4}, x);
  REQUIRE(single.size() == kRows);
  REQUIRE(each.size() == 9 * kRows);
  for (size_t i = 0; i < kRows; ++i) {
    double sum = 0;
    for (size_t j = 0; j < 12; ++j) sum += x[24 * i + j] * x[24 * i + 12 + j];
    CHECK(near(single[i], sum, 8));
    for (size_t p = 0; p < 3; ++p)
      for (size_t q = 0; q < 3; ++q) {
        sum = 0;
        for (size_t j = 0; j < 4; ++j) sum += x[24 * i + 4 * p + j] * x[24 * i + 12 + 4 * q + j];
        CHECK(near(each[9 * i + 3 * p + q], sum, 8));
      }
  }
}

TEST_CASE("take gives columns of each position") {
  const std::vector<double> x = draw_rows(kRows, 24);
  CHECK(outputs_of(Take({0, 1, 2, 3, 4, 5}), {4, 6}, x) == x);
  std::vector<double> expected;
  for (size_t i = 0; i < x.size(); i += 6)
    for (const size_t column : {5, 0, 5}) expected.push_back(x[i + column]);
  CHECK(outputs_of(Take({5, 0, 5}), {4, 6}, x) == expected);
}

TEST_CASE("reshape and flatten keep the order of the numbers, permute changes it") {
  const std::vector<double> x = draw_rows(kRows, 24);
  CHECK(outputs_of(Reshape({2, -1, 3}), {4, 6}, x) == x);
  CHECK(outputs_of(Reshape({24}), {4, 6}, x) == x);
  CHECK(outputs_of(Reshape({4, 6}), 24, x) == x);
  CHECK(outputs_of(Reshape({8, 3}), {2, 4, 3}, x) == x);
  CHECK(outputs_of(Flatten(), {4, 3, 2}, x) == x);
  CHECK(outputs_of(Permute({1, 2, 3}), {4, 3, 2}, x) == x);
  const std::vector<std::vector<int64_t>> orders{
      {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
  const int64_t extents[3] = {4, 3, 2};
  const int64_t steps[3] = {6, 2, 1};
  for (const std::vector<int64_t>& dims : orders) {
    CAPTURE(Shape(dims).text());
    std::vector<double> expected;
    const auto axis = [&](size_t i) { return dims[i] - 1; };
    for (int64_t i = 0; i < kRows; ++i)
      for (int64_t a = 0; a < extents[axis(0)]; ++a)
        for (int64_t b = 0; b < extents[axis(1)]; ++b)
          for (int64_t c = 0; c < extents[axis(2)]; ++c)
            expected.push_back(x[static_cast<size_t>(24 * i + a * steps[axis(0)] +
                                                     b * steps[axis(1)] + c * steps[axis(2)])]);
    CHECK(outputs_of(Permute(dims), {4, 3, 2}, x) == expected);
  }
}

TEST_CASE("pooling, repeating, clipping and scaling give what their formulas say") {
  const std::vector<double> x = draw_rows(kRows, 24);
  const std::vector<double> pooled = outputs_of(GlobalAveragePooling(), {2, 3, 4}, x);
  const std::vector<double> repeated = outputs_of(RepeatVector(3), 24, x);
  const std::vector<double> clipped = outputs_of(Clip(-0.25, 0.5), {6, 4}, x);
  const std::vector<double> above = outputs_of(Clip(0.0, {}), 24, x);
  const std::vector<double> scaled = outputs_of(Scale(0.75), {6, 4}, x);
  CHECK(outputs_of(GaussianNoise(0.5), 24, x) == x);
  for (size_t i = 0; i < kRows; ++i) {
    for (size_t j = 0; j < 4; ++j) {
      double sum = 0;
      for (size_t p = 0; p < 6; ++p) sum += x[24 * i + 4 * p + j];
      CHECK(pooled[4 * i + j] == sum / 6);
    }
    for (size_t j = 0; j < 24; ++j) {
      const double value = x[24 * i + j];
      for (size_t n = 0; n < 3; ++n) CHECK(repeated[72 * i + 24 * n + j] == value);
      CHECK(clipped[24 * i + j] == std::clamp(value, -0.25, 0.5));
      CHECK(above[24 * i + j] == std::max(value, 0.0));
      CHECK(scaled[24 * i + j] == 0.75 * value);
    }
  }
}

TEST_CASE("noise has the standard deviation asked for, and another one at every step") {
  Network<double> network({GaussianNoise(0.5), dense(1)}, 40, 3);
  const std::vector<double> x(400 * 40, 0.25), targets(400, 0.0);
  network.forward(view(x.data(), 400, 40), true, 1, std::vector<double>(400).data());
  std::vector<double> first(x.size()), second(x.size());
  REQUIRE(network.get_activation(0, first.data()));
  double sum = 0, squares = 0;
  for (const double value : first) {
    sum += value - 0.25;
    squares += (value - 0.25) * (value - 0.25);
  }
  const auto n = static_cast<double>(x.size());
  CHECK(std::abs(sum / n) < 5 * 0.5 / std::sqrt(n));
  CHECK(std::abs(squares / n / 0.25 - 1) < 5 * std::sqrt(2 / n));
  network.compute_gradients(view(x.data(), 400, 40), rows_as_targets(targets, 400, 1), mse(), true,
                            1, nullptr);
  network.step(Optimizer(Sgd{}), 0.0);
  network.forward(view(x.data(), 400, 40), true, 1, std::vector<double>(400).data());
  REQUIRE(network.get_activation(0, second.data()));
  CHECK(first != second);
}

TEST_CASE("gradients of 300 random graphs are the derivatives of their losses") {
#ifdef CHAINRULE_TEST_QUICK
  constexpr uint64_t graphs = 40;
#else
  constexpr uint64_t graphs = 300;
#endif
  for (uint64_t seed = 0; seed < graphs; ++seed) {
    CAPTURE(seed);
    Network<double> network(random_graph(1000 + 7 * seed), seed);
    const Checked checked = along_a_direction(network, seed);
    const double error = std::abs(checked.slope - checked.product) /
                         std::max(1e-3, std::abs(checked.slope) + std::abs(checked.product));
    CHECK(error <= 1e-7);
  }
}

TEST_CASE("random graphs predict the same bits by all ways and in any batch") {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    Network<double> network(random_graph(2000 + 7 * seed), seed);
    const std::vector<double> x = draw_rows(kRows, network.inputs(), seed);
    const RowsView rows = view(x.data(), kRows, network.inputs());
    const std::vector<double> y = network.predict(rows);
    std::vector<double> forward(y.size()), streamed(y.size()), single(y.size());
    network.forward(rows, false, 1, forward.data());
    CHECK(forward == y);
    const Predictor<double> predictor(network);
    Predictor<double>::Scratch scratch(predictor, kRows);
    predictor.predict(std::span<const double>(x), std::span<double>(streamed), scratch);
    CHECK(streamed == y);
    for (int64_t i = 0; i < kRows; ++i)
      predictor.predict(x.data() + i * network.inputs(), single.data() + i * network.outputs(),
                        scratch);
    CHECK(single == y);
  }
}

TEST_CASE("training all of these layers gives one set of bits for any number of threads") {
  const Graph graph = wide_graph(120);
  const Snapshot<float> one = trained<float>(graph, 1);
  const Snapshot<double> one_double = trained<double>(graph, 1);
  for (const int threads : {2, 3, 7}) {
    CAPTURE(threads);
    CHECK(trained<float>(graph, threads) == one);
    CHECK(trained<double>(graph, threads) == one_double);
  }
}

TEST_CASE("layers of graphs name both shapes where theirs do not fit") {
  Graph graph;
  const auto a = graph.input(3, "a");
  const auto b = graph.input(4, "b");
  const auto c = graph.input({2, 4}, "c");
  const auto refused = [&](const AnyLayer& layer, const std::vector<Graph::Tensor>& inputs,
                           const char* text) {
    CHECK_THROWS_WITH_AS(graph.add(layer, inputs, "n"), text, Error);
  };
  refused(Add(), {a, b},
          "layer n (add) on (3,) and (4,): add: its inputs must have one shape, got (3,) and "
          "(4,)");
  refused(Maximum(), {b, c},
          "layer n (maximum) on (4,) and (2, 4): maximum: its inputs must have one shape, got "
          "(4,) and (2, 4)");
  refused(Average(), {a}, "layer n (average) on (3,): average: it reads two inputs or more, got 1");
  refused(Subtract(), {a, a, a},
          "layer n (subtract) on (3,) and (3,) and (3,): subtract: it reads two inputs, got 3");
  refused(Concatenate(), {b, c},
          "layer n (concatenate) on (4,) and (2, 4): concatenate: the shapes of its inputs may "
          "differ in the last extent only, got (4,) and (2, 4)");
  refused(Dot(), {a, b},
          "layer n (dot) on (3,) and (4,): dot: its inputs must both be (features) or (n, "
          "features) and (m, features), with equally many features, got (3,) and (4,)");
  refused(Reshape({5}), {c},
          "layer n (reshape) on (2, 4): reshape: target_shape (5,) does not hold the 8 numbers of "
          "its input's shape (2, 4)");
  refused(Reshape({-1, 3}), {c},
          "layer n (reshape) on (2, 4): reshape: target_shape (-1, 3) does not hold the 8 numbers "
          "of its input's shape (2, 4)");
  refused(Permute({2, 1}), {a},
          "layer n (permute) on (3,): permute: dims (2, 1) has 2 axes for an input of shape (3,)");
  refused(RepeatVector(2), {c},
          "layer n (repeat_vector) on (2, 4): repeat_vector: it repeats an input of shape "
          "(features), got (2, 4)");
  refused(GlobalAveragePooling(), {a},
          "layer n (global_average_pooling) on (3,): global_average_pooling: it takes the mean "
          "over positions, as of (time, features) or (height, width, channels), and there are "
          "none in (3,)");
  CHECK(graph.nodes().size() == 3);
}
