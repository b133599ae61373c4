// SPDX-License-Identifier: Apache-2.0
// Graphs: what describes them, and networks that are no chain, against plain sums in double.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/graph.hpp"
#include "chainrule/graph_config.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/network.hpp"
#include "chainrule/predictor.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using chainrule::testing::Draws;

/// Two inputs, a layer used twice, a tensor with three readers, and two outputs.
Graph branches() {
  Graph graph;
  const Graph::Tensor a = graph.input(5, "a");
  const Graph::Tensor b = graph.input(3, "b");
  const Graph::Tensor h = graph.add(Dense(6, "tanh"), a, "h");
  const Graph::Tensor k = graph.add(Dense(6, "tanh"), h, "k");
  const Graph::Tensor again = graph.add_shared(k, {k});
  graph.output(graph.add(Dense(3), again, "classes"));
  graph.output(graph.add(Dense(2), graph.add(Dense(4, "sigmoid"), b, "g"), "numbers"));
  graph.output(graph.add(Dense(1), k, "side"));
  return graph;
}

std::vector<double> values_of(const Network<double>& network, const std::string& name) {
  for (const ParameterInfo& info : network.parameters()) {
    if (info.name != name) continue;
    std::vector<double> values(static_cast<std::size_t>(info.shape.size()));
    network.get_parameter(name, values.data());
    return values;
  }
  throw Error("no " + name);
}

/// x W + b of one row, and f of each of the sums.
template <class F>
std::vector<double> dense(const Network<double>& network, const std::string& node,
                          const std::vector<double>& x, F f) {
  const std::vector<double> w = values_of(network, node + ".weight");
  std::vector<double> y = values_of(network, node + ".bias");
  const std::size_t units = y.size();
  for (std::size_t j = 0; j < units; ++j) {
    for (std::size_t i = 0; i < x.size(); ++i) y[j] += x[i] * w[i * units + j];
    y[j] = f(y[j]);
  }
  return y;
}

double same(double z) { return z; }
double tangent(double z) { return std::tanh(z); }

struct Data {
  std::vector<double> a, b, numbers, side;
  std::vector<std::int64_t> classes;
  std::int64_t rows;

  explicit Data(std::int64_t rows_) : rows(rows_) {
    Draws draws(11);
    const auto fill = [&](std::vector<double>& to, std::int64_t size) {
      for (std::int64_t i = 0; i < size; ++i) to.push_back(draws.uniform(-1, 1));
    };
    fill(a, 5 * rows);
    fill(b, 3 * rows);
    fill(numbers, 2 * rows);
    fill(side, rows);
    for (std::int64_t i = 0; i < rows; ++i) classes.push_back(i % 3);
  }
  std::vector<RowsView> x() const { return {view(a.data(), rows, 5), view(b.data(), rows, 3)}; }
  std::vector<TargetsView> y() const {
    return {labels(classes), targets(view(numbers.data(), rows, 2)),
            targets(view(side.data(), rows, 1))};
  }
};

std::vector<Loss> losses() {
  return {Loss::defaults(Loss::Kind::cross_entropy), Loss::defaults(Loss::Kind::mse),
          Loss::defaults(Loss::Kind::huber)};
}
const std::vector<double> kWeights{1.0, 0.5, 2.0};

std::vector<double> all_parameters(const Network<double>& network) {
  std::vector<double> all;
  for (const ParameterInfo& info : network.parameters()) {
    const std::vector<double> values = values_of(network, info.name);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace

TEST_CASE("shapes are positions and columns") {
  const Shape shape{4, 5, 3};
  CHECK(shape.positions() == 20);
  CHECK(shape.columns() == 3);
  CHECK(shape.size() == 60);
  CHECK(shape.text() == "(4, 5, 3)");
  CHECK(Shape(7).text() == "(7,)");
  CHECK(shape.with_columns(2) == Shape{4, 5, 2});
  const std::int64_t most = std::int64_t{1} << 62;
  CHECK_THROWS_AS((void)Shape({most, 4}).size(), Error);
}

TEST_CASE("a graph says what is wrong with it, by the names of its nodes") {
  Graph graph;
  const Graph::Tensor x = graph.input(4, "x");
  CHECK_THROWS_WITH_AS(graph.input(4, "x"), "there are two nodes called 'x'", Error);
  CHECK_THROWS_WITH_AS(graph.input({3, 0}, "y"),
                       "input 'y' has shape (3, 0); all extents must be >= 1", Error);
  CHECK_THROWS_WITH_AS(graph.input(4, "optimizer.m"), doctest::Contains("'optimizer.m'"), Error);
  CHECK_THROWS_WITH_AS(graph.input(4, std::string("\xff")), doctest::Contains("UTF-8"), Error);
  CHECK_THROWS_WITH_AS(graph.output(x), "input 'x' cannot be an output", Error);
  CHECK_THROWS_WITH_AS(graph.check(), "a network needs at least one layer", Error);
  const Graph::Tensor h = graph.add(Dense(3), x);
  CHECK(graph.node(h.node()).name == "dense");
  CHECK(graph.node(graph.add(Dense(3), x).node()).name == "dense_1");
  CHECK_THROWS_WITH_AS(graph.check(), "a network needs at least one output", Error);
  graph.output(h);
  CHECK_THROWS_WITH_AS(graph.output(h), "node 'dense' is an output twice", Error);
  CHECK_THROWS_WITH_AS(graph.check(), "node 'dense_1' leads to no output", Error);
  CHECK_THROWS_WITH_AS(Network<float>(graph, 1), "node 'dense_1' leads to no output", Error);
  CHECK_THROWS_WITH_AS(graph.add(Dense(0), h), doctest::Contains("layer dense_2 (dense) on (3,): "),
                       Error);
  CHECK_THROWS_WITH_AS(graph.add(Dense(2), {h, x}, "two"),
                       "layer two (dense) on (3,) and (4,): dense: it reads one input, got 2",
                       Error);
  CHECK_THROWS_WITH_AS(graph.add(CategoryEncoding(3), h), doctest::Contains("first layer"), Error);
  CHECK_THROWS_WITH_AS(graph.add_shared(h, {h}),
                       "node 'dense/1' shares the parameters of 'dense', which reads (4,), and "
                       "cannot read (3,)",
                       Error);
  CHECK_THROWS_WITH_AS(graph.add_shared(x, {x}), doctest::Contains("'x' is no layer"), Error);
  CHECK_THROWS_WITH_AS((void)graph.named("dence"), doctest::Contains("'dence'"), Error);
  Graph other;
  CHECK_THROWS_WITH_AS(other.add(Dense(1), h), doctest::Contains("another graph"), Error);
  Graph unused;
  unused.input(2, "idle");
  unused.output(unused.add(Dense(1), unused.input(2, "used")));
  CHECK_THROWS_WITH_AS(unused.check(), "input 'idle' leads to no output", Error);
}

TEST_CASE("descriptions of graphs are read back, and none with a cycle") {
  const Graph graph = branches();
  const Graph again = Graph::from_config(graph.config());
  CHECK(same_structure(graph, again));
  CHECK(again.config().outputs == std::vector<std::string>{"classes", "numbers", "side"});
  CHECK_FALSE(graph.is_chain());
  CHECK(graph.shares_parameters());
  GraphConfig config = graph.config();
  std::swap(config.nodes[2], config.nodes[3]);
  CHECK_THROWS_WITH_AS(Graph::from_config(config),
                       "node 'k' reads 'h', which does not come before it: nodes must be in "
                       "topological order, without a cycle",
                       Error);
  config = graph.config();
  config.nodes[2].inputs = {"missing"};
  CHECK_THROWS_WITH_AS(Graph::from_config(config), doctest::Contains("'missing'"), Error);
  config = graph.config();
  config.nodes[3].name.clear();
  CHECK_THROWS_WITH_AS(Graph::from_config(config), "a node has no name", Error);
  config = graph.config();
  config.nodes[0].inputs = {"b"};
  CHECK_THROWS_WITH_AS(Graph::from_config(config), "input 'a' reads other nodes", Error);
}

TEST_CASE("branches, several inputs and outputs give what their sums give") {
  const Data data(9);
  Network<double> network(branches(), 3);
  CHECK(network.inputs() == 8);
  CHECK(network.outputs() == 6);
  std::vector<double> expected;
  for (std::size_t r = 0; r < 9; ++r) {
    const std::vector<double> a(data.a.begin() + 5 * static_cast<long>(r),
                                data.a.begin() + 5 * static_cast<long>(r + 1));
    const std::vector<double> b(data.b.begin() + 3 * static_cast<long>(r),
                                data.b.begin() + 3 * static_cast<long>(r + 1));
    const auto h = dense(network, "h", a, tangent);
    const auto k = dense(network, "k", h, tangent);
    const auto g = dense(network, "g", b, [](double z) { return 1.0 / (1.0 + std::exp(-z)); });
    for (const auto& part : {dense(network, "classes", dense(network, "k", k, tangent), same),
                             dense(network, "numbers", g, same), dense(network, "side", k, same)})
      expected.insert(expected.end(), part.begin(), part.end());
  }
  std::vector<double> predicted(expected.size());
  network.predict(data.x(), 4, 1, predicted.data());
  std::vector<double> forward(expected.size());
  network.forward(data.x(), true, 1, forward.data());
  Predictor<double> predictor(network);
  Predictor<double>::Scratch scratch(predictor, 2);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(predicted[i] == doctest::Approx(expected[i]).epsilon(1e-12));
    CHECK(forward[i] == predicted[i]);
  }
  std::vector<double> row;
  std::vector<double> out(6);
  for (std::size_t r = 0; r < 9; ++r) {
    row.assign(data.a.begin() + 5 * static_cast<long>(r),
               data.a.begin() + 5 * static_cast<long>(r + 1));
    row.insert(row.end(), data.b.begin() + 3 * static_cast<long>(r),
               data.b.begin() + 3 * static_cast<long>(r + 1));
    predictor.predict(row.data(), out.data(), scratch);
    for (std::size_t j = 0; j < 6; ++j) CHECK(out[j] == predicted[6 * r + j]);
  }
  CHECK_THROWS_AS(Predictor<double>(network, Loss::Link::softmax), Error);
}

TEST_CASE(
    "gradients of shared layers and of tensors with several readers are those of differences") {
  const Data data(7);
  Network<double> network(branches(), 5);
  const std::vector<Loss> each = losses();
  const Losses loss(each, kWeights);
  std::vector<double> dx(7 * 8);
  const double value = network.compute_gradients(data.x(), data.y(), loss, true, 1, dx.data());
  CHECK(network.evaluate(data.x(), data.y(), loss, 3, 1, nullptr) == doctest::Approx(value));
  constexpr double e = 1e-6;
  for (const ParameterInfo& info : network.parameters()) {
    std::vector<double> gradient(static_cast<std::size_t>(info.shape.size()));
    network.compute_gradients(data.x(), data.y(), loss, true, 1, nullptr);
    network.get_gradient(info.name, gradient.data());
    std::vector<double> values = values_of(network, info.name);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double at = values[i];
      const auto with = [&](double v) {
        values[i] = v;
        network.set_parameter(info.name, values.data());
        return network.evaluate(data.x(), data.y(), loss, 7, 1, nullptr);
      };
      const double slope = (with(at + e) - with(at - e)) / (2 * e);
      with(at);
      CAPTURE(info.name);
      CHECK(gradient[i] == doctest::Approx(slope).epsilon(1e-6));
    }
  }
  // By hand, from the same gradients of all outputs.
  std::vector<double> y(7 * 6, 0.25), by_hand(7 * 8), gradient(36), other(36);
  network.forward(data.x(), true, 2, nullptr);
  network.backward(view(y.data(), 7, 6), by_hand.data());
  network.get_gradient("k.weight", gradient.data());
  Network<double> copy(network);
  copy.forward(data.x(), true, 1, nullptr);
  copy.backward(view(y.data(), 7, 6), nullptr);
  copy.get_gradient("k.weight", other.data());
  CHECK(gradient == other);
}

TEST_CASE("training of a graph gives the same bits on any number of threads") {
  const Data data(300);
  const std::vector<Loss> each = losses();
  std::vector<double> first;
  for (const int threads : {1, 2, 3, 7}) {
    Network<double> network(branches(), 7);
    EpochOptions options;
    options.batch_size = 37;
    options.num_threads = threads;
    EpochResult result;
    for (int epoch = 0; epoch < 3; ++epoch)
      result = network.run_epoch(data.x(), data.y(), {each, kWeights}, Adam{}, options);
    CHECK(result.losses.size() == 3);
    double sum = 0.0;
    for (std::size_t i = 0; i < 3; ++i) sum += kWeights[i] * result.losses[i].mean();
    CHECK(result.loss == sum);
    const std::vector<double> all = all_parameters(network);
    if (first.empty()) first = all;
    CHECK(all == first);
  }
}

TEST_CASE("layers that are not trained stay as they are") {
  const Data data(60);
  const std::vector<Loss> each = losses();
  for (const double clip_norm : {0.0, 1.0}) {
    Network<double> network(branches(), 7);
    network.set_trainable("k", false);
    network.set_trainable("h", false);
    const std::vector<double> k = values_of(network, "k.weight");
    const std::vector<double> h = values_of(network, "h.bias");
    const std::vector<double> classes = values_of(network, "classes.weight");
    AdamW rule;
    rule.weight_decay = 0.1;
    Optimizer optimizer = rule;
    optimizer.clip_norm = clip_norm;
    (void)network.run_epoch(data.x(), data.y(), {each, kWeights}, optimizer, {});
    CHECK(values_of(network, "k.weight") == k);
    CHECK(values_of(network, "h.bias") == h);
    CHECK(values_of(network, "classes.weight") != classes);
    network.compute_gradients(data.x(), data.y(), {each, kWeights}, true, 1, nullptr);
    std::vector<double> gradient(36);
    CHECK_THROWS_AS(network.get_gradient("k.weight", gradient.data()), Error);
    network.step(optimizer, 1e-3);
    CHECK(values_of(network, "k.weight") == k);
    Network<double> copy(network);
    (void)copy.run_epoch(data.x(), data.y(), {each, kWeights}, optimizer, {});
    CHECK(values_of(copy, "k.weight") == k);
    network.set_trainable("k/1", true);
    (void)network.run_epoch(data.x(), data.y(), {each, kWeights}, optimizer, {});
    CHECK(values_of(network, "k.weight") != k);
    CHECK(values_of(network, "h.bias") == h);
    CHECK_THROWS_AS(network.set_trainable("a", false), Error);
    CHECK_THROWS_AS(network.set_trainable("missing", false), Error);
  }
}

TEST_CASE("files keep graphs, names and what is not trained") {
  const Data data(40);
  Network<double> network(branches(), 7);
  network.set_trainable("g", false);
  const std::vector<Loss> each = losses();
  (void)network.run_epoch(data.x(), data.y(), {each, kWeights}, Adam{}, {});
  TrainingState training;
  training.optimizer = Adam{};
  const std::string content = model_bytes(network, training);
  Model<double> read = read_model<double>(content);
  CHECK(same_structure(read.network.graph(), network.graph()));
  CHECK(all_parameters(read.network) == all_parameters(network));
  CHECK(model_bytes(read.network, read.training) == content);
  (void)network.run_epoch(data.x(), data.y(), {each, kWeights}, Adam{}, {});
  (void)read.network.run_epoch(data.x(), data.y(), {each, kWeights}, Adam{}, {});
  CHECK(all_parameters(read.network) == all_parameters(network));
}

TEST_CASE("inputs, targets and losses that do not fit a graph are named") {
  const Data data(6);
  Network<double> network(branches(), 7);
  const std::vector<Loss> each = losses();
  const Losses loss(each, kWeights);
  const auto refused = [&](const Inputs& x, const Targets& y, const Losses& l, const char* text) {
    CHECK_THROWS_WITH_AS(network.run_epoch(x, y, l, Adam{}, {}), text, Error);
    CHECK_THROWS_WITH_AS(network.evaluate(x, y, l, 3, 1, nullptr), text, Error);
  };
  const std::vector<RowsView> x = data.x();
  const std::vector<TargetsView> y = data.y();
  refused(x[0], y, loss, "the network has 2 inputs, got 1");
  refused(std::vector{x[1], x[1]}, y, loss, "x['a'] has 3 columns; the network expects 5");
  std::vector<RowsView> fewer = x;
  fewer[1].rows = 5;
  refused(fewer, y, loss, "x['b'] has 5 rows and x['a'] has 6");
  refused(x, y[0], loss, "the network has 3 outputs, got targets for 1");
  std::vector<TargetsView> less = y;
  less[1].rows = less[1].values.rows = 4;
  refused(x, less, loss, "x has 6 rows but y['numbers'] has 4");
  refused(x, y, each[0], "the network has 3 outputs, got 1 loss");
  const std::vector<double> negative{1.0, -1.0, 1.0};
  refused(x, y, {each, negative},
          "the weight of the loss of y['numbers'] must be finite and >= 0, got -1.000000");
  CHECK_THROWS_AS(network.predict(x[0], 4, 1, nullptr), Error);
  CHECK_THROWS_AS(network.forward(x[0], false, 1, nullptr), Error);
}
