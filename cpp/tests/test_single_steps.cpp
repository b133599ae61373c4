// SPDX-License-Identifier: Apache-2.0
// Steps that are a call each: what bounds them, and what a diverging one leaves.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/convolution_layers.hpp"
#include "chainrule/error.hpp"
#include "chainrule/shape_layers.hpp"
#include "chainrule/trainer.hpp"
#include "engine/compiled_loss.hpp"
#include "engine/optimizer/step_bounds.hpp"
#include "engine/optimizer/stored_update.hpp"
#include "engine/threads/team.hpp"
#include "kernels/dispatch.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

using Act = Activation::Kind;
using Opt = Optimizer::Kind;

EpochOptions alone(std::int64_t rows) {
  EpochOptions o = options(rows);
  o.whole_epoch = false;
  o.shuffle = false;
  return o;
}

struct Gradients {
  double bound;
  double largest;
};

/// The bound of the gradients of one batch, and the largest of them.
Gradients gradients_of(const Layers& layers, const RowsView& x, InputSparsity path) {
  const auto& kernels = kernels::active<float>();
  const Graph graph = Graph::chain(layers, x.columns);
  engine::Parameters<float> parameters(graph, kernels.panel);
  parameters.initialize(5);
  const Loss loss = mse();
  engine::PlanOptions options;
  options.batch_size = x.rows;
  options.backward = true;
  options.whole_steps = true;
  options.losses = loss;
  const DataSet data(x.rows, 1, graph.node(graph.outputs()[0]).shape.columns());
  CompiledLoss<float> compiled(kernels, graph, parameters, loss, options);
  const TargetsView y = data.by_row();
  compiled.plan.refresh();
  compiled.prepare(y);
  compiled.begin();
  compiled.plan.choose_path(x, path);
  engine::Buffer<float> gradients(parameters.arena_size());
  engine::Step<float> step;
  step.rows = x.rows;
  step.training = true;
  step.gradients = gradients.data();
  engine::run_team(1, [&](engine::Team team) {
    engine::ThreadContext context(team);
    compiled.plan.load(context, step, x, {});
    compiled.plan.forward(context, step);
    compiled.run(step, context, y, {}, true);
    compiled.plan.backward(context, step);
    compiled.plan.gradients(context, step);
  });
  Gradients found{compiled.plan.gradient_bound(x.rows), 0.0};
  for (std::int64_t i = 0; i < gradients.size(); ++i)
    found.largest = std::max(found.largest, std::abs(double{gradients.data()[i]}));
  return found;
}

}  // namespace

TEST_CASE("bounds of gradients hold, whatever the layers and however the rows arrive") {
  constexpr std::int64_t rows = 9, columns = 21;
  DataSet data(rows, columns, 3);
  std::vector<std::uint8_t> bytes;
  std::vector<float> stored;
  std::vector<std::int32_t> indices;
  std::vector<std::int32_t> offsets{0};
  for (std::size_t i = 0; i < data.x.size(); ++i) {
    if (i % 3 != 0) data.x[i] = 0.0;
    data.x[i] *= 40.0;
    bytes.push_back(static_cast<std::uint8_t>(std::abs(data.x[i])));
    if (data.x[i] != 0.0) {
      stored.push_back(static_cast<float>(data.x[i]));
      indices.push_back(static_cast<std::int32_t>(i % columns));
    }
    if (i % columns == columns - 1) offsets.push_back(static_cast<std::int32_t>(stored.size()));
  }
  RowsView sparse{stored.data(), DataType::float32, rows, columns, 0, 0};
  sparse.offsets = offsets.data();
  sparse.indices = indices.data();
  sparse.stored = static_cast<std::int64_t>(stored.size());
  std::vector<double> mixed;  // a category and a number
  for (std::int64_t i = 0; i < rows; ++i) {
    mixed.push_back(static_cast<double>(i % 4));
    mixed.push_back(data.x[static_cast<std::size_t>(i * columns)]);
  }
  const RowsView table = data.inputs_view(), byte_table = view(bytes.data(), rows, columns);
  const RowsView categories = view(mixed.data(), rows, 2);
  const auto check = [](const Layers& layers, const RowsView& x, InputSparsity path) {
    const Gradients found = gradients_of(layers, x, path);
    CHECK(found.largest > 0.0);
    CHECK(found.bound >= found.largest);
    CHECK(found.bound < 1e4 * found.largest);
  };
  for (const InputSparsity path : {InputSparsity::dense, InputSparsity::sparse}) {
    check({dense(3)}, table, path);
    check({dense(3)}, byte_table, path);
    check({Rescaling(0.5), dense(7, Act::tanh), dense(3)}, byte_table, path);
  }
  check({dense(3)}, sparse, InputSparsity::automatic);
  check({Rescaling(-2.0), dense(8, Act::relu), dense(3)}, sparse, InputSparsity::automatic);
  RowsView category = categories;
  category.columns = 1;
  check({CategoryEncoding(4), dense(3)}, category, InputSparsity::automatic);
  check({Embedding(4, 5, {0}), dense(3)}, categories, InputSparsity::automatic);
  check({BatchNormalization(), dense(3)}, table, InputSparsity::dense);
  check({LayerNormalization(), dense(3)}, table, InputSparsity::dense);
  check({dense(6), PReLU(), dense(3)}, table, InputSparsity::dense);
  // Rows without padding, of whose norm a piece is more than one.
  check({dense(48, Act::tanh), dense(2048, Act::tanh), dense(16)}, table, InputSparsity::dense);
}

// All rows but the last are zeros: what is read of it lies behind as many rows as are written.
TEST_CASE("bounds of gradients hold for layers that change the number of positions") {
  constexpr std::int64_t rows = 4, inputs = 32;
  std::vector<double> x(static_cast<std::size_t>(rows * inputs), 0.0);
  for (std::size_t i = x.size() - inputs; i < x.size(); ++i) x[i] = 1e4 + static_cast<double>(i);
  const RowsView table = view(x.data(), rows, inputs);
  Conv1D sequence(3, {2});
  sequence.strides = {4};
  Conv2D image(3, {2});
  image.strides = {2};
  DepthwiseConv2D channels({2});
  channels.strides = {2};
  channels.depth_multiplier = 3;
  Conv2DTranspose larger(3, {2});
  larger.strides = {3};
  const AnyLayer relu = ActivationLayer("relu");  // behind which positions are rows of a tensor
  const Layers all[] = {
      {Reshape({16, 2}), relu, sequence, Flatten()},
      {Reshape({4, 4, 2}), relu, image, Flatten()},
      {Reshape({4, 4, 2}), relu, channels, Flatten()},
      {Reshape({4, 4, 2}), relu, larger, Flatten()},
  };
  for (const Layers& layers : all) {
    CAPTURE(layers[2]->config().kind);
    const Gradients found = gradients_of(layers, table, InputSparsity::dense);
    CHECK(found.largest > 0.0);
    CHECK(found.bound >= found.largest);
    CHECK(found.bound < 1e4 * found.largest);
  }
}

TEST_CASE("no step makes a weight larger than its bound") {
  const auto& kernels = kernels::active<float>();
  Dense fast(5);
  fast.learning_rate_factor = {{"weight", 3.0}, {"bias", 0.1}};
  const Layers layers = {fast, dense(2)};
  for (const std::string& name : Optimizer::kinds()) {
    CAPTURE(name);
    const Optimizer o = Optimizer::from_config({name, {{"learning_rate", 0.25}}});
    engine::Parameters<float> parameters(Graph::chain(layers, 3), kernels.panel);
    parameters.initialize(7);
    engine::OptimizerState<float> state;
    state.prepare(o, parameters.arena_size());
    engine::StoredUpdate<float> stored(kernels, parameters);
    engine::Buffer<float> gradients(parameters.arena_size());
    std::vector<kernels::UpdateRule<float>> group_rules(parameters.groups().size());
    REQUIRE(group_rules.size() == 2);
    engine::StepBounds<float> bounds;
    bounds.look(kernels, parameters, state);
    Draws draws(3);
    for (int step = 1; step <= 60; ++step) {
      // Rare large gradients among small ones move an average by much more than its root.
      const double scale = step % 7 == 0 ? 1e3 : step % 3 == 0 ? 1e-18 : 1e-2;
      for (const engine::Parameter& p : parameters.list()) {
        std::vector<float> values(static_cast<std::size_t>(p.spec.shape.size()));
        for (float& v : values) v = static_cast<float>(scale * draws.uniform(-1, 1));
        engine::Parameters<float>::pack(p, values.data(), gradients.data());
      }
      const engine::Update<float> update =
          engine::make_update(kernels, o, 0.25, parameters, state, step, group_rules.data());
      // A network of which only the present state is known has to find the same bound.
      if (step % 20 == 0) bounds.look(kernels, parameters, state);
      REQUIRE(bounds.step(update.rule, {}, scale, group_rules));
      engine::run_team(1, [&](engine::Team team) {
        engine::ThreadContext context(team);
        stored.run(context, update, gradients.data(), 0.0);
      });
      for (std::int64_t i = 0; i < parameters.values.size(); ++i)
        REQUIRE(std::abs(double{parameters.values.data()[i]}) <= bounds.value());
    }
  }
}

TEST_CASE("ordinary steps of Adam are far from what has to be kept") {
  const auto& kernels = kernels::active<float>();
  const Layers layers = {dense(5), dense(2)};
  engine::Parameters<float> parameters(Graph::chain(layers, 3), kernels.panel);
  parameters.initialize(7);
  engine::OptimizerState<float> state;
  const Optimizer adam = optimizer(Optimizer::Kind::adam, 1e-3);
  state.prepare(adam, parameters.arena_size());
  engine::StepBounds<float> bounds;
  bounds.look(kernels, parameters, state);
  for (int step = 1; step <= 5000; ++step) {
    REQUIRE(bounds.step(engine::make_rule<float>(adam, 1e-3, step), {}, 100.0));
    REQUIRE_FALSE(bounds.may_have_grown());
  }
}

TEST_CASE_TEMPLATE("a step that diverges leaves all as it was before it, or before the one before",
                   T, float, double) {
  constexpr std::int64_t rows = 6;
  const DataSet data(rows, 4, 3);
  const Layers layers = {dense(5), BatchNormalization(), dense(5), dense(3)};
  for (const std::string& name : Optimizer::kinds()) {
    CAPTURE(name);
    const Optimizer rule = Optimizer::from_config({name, {{"learning_rate", 1e-3}}});
    for (const int before : {0, 1, 2, 25}) {
      CAPTURE(before);
      Network<T> network(layers, 4, 3);
      EpochOptions o = alone(rows);
      const auto step = [&] {
        network.run_epoch(data.inputs_view(), data.by_row(), mse(), rule, o);
      };
      for (int i = 0; i < before; ++i) step();
      o.learning_rate = 0.5 * static_cast<double>(std::numeric_limits<T>::max());
      std::vector<Snapshot<T>> taken;
      const auto diverge = [&] {
        for (int i = 0; i < 3; ++i) {
          taken.emplace_back(network);
          step();
        }
      };
      CHECK_THROWS_AS(diverge(), DivergenceError);
      const Snapshot<T> left(network);
      const std::size_t count = taken.size();
      CHECK((left == taken[count - 1] || (count > 1 && left == taken[count - 2])));
      for (const T output : network.predict(data.inputs_view())) CHECK(std::isfinite(output));
      // It goes on as if nothing had been.
      const auto twin = rebuilt(network, rule);
      o.learning_rate = 0.0;
      for (int i = 0; i < 3; ++i) {
        step();
        twin->run_epoch(data.inputs_view(), data.by_row(), mse(), rule, o);
      }
      CHECK(Snapshot<T>(network) == Snapshot<T>(*twin));
    }
  }
}

TEST_CASE("rows that spoil running statistics or gradients change nothing") {
  constexpr std::int64_t rows = 6;
  const DataSet data(rows, 4, 3);
  DataSet large = data;
  const Layers layers = {BatchNormalization(), dense(3)};
  for (const double factor : {1e25, 1e39}) {  // the variance, or x itself, leaves float's range
    for (double& v : large.x) v *= factor;
    for (const int threads : {1, 3}) {
      Network<float> network(layers, 4, 3);
      EpochOptions o = alone(rows);
      o.num_threads = threads;
      const Optimizer rule = optimizer(Optimizer::Kind::adam, 1e-3);
      for (int i = 0; i < 4; ++i)
        network.run_epoch(data.inputs_view(), data.by_row(), mse(), rule, o);
      const Snapshot<float> before(network);
      for (int i = 0; i < 2; ++i) {
        CHECK_THROWS_AS(network.run_epoch(large.inputs_view(), data.by_row(), mse(), rule, o),
                        DivergenceError);
        CHECK(Snapshot<float>(network) == before);
      }
    }
    large = data;
  }
}

TEST_CASE("a single batch by itself counts as a step, not as an epoch") {
  DataSet data(8, 4, 3);
  Network<double> network({dense(3, Act::tanh), BatchNormalization(), dense(3)}, 4, 2);
  EpochOptions o = options(8);
  o.whole_epoch = false;
  const EpochResult result = network.run_epoch(data.inputs_view(), data.by_label(), cross_entropy(),
                                               optimizer(Opt::sgd, 0.1), o);
  CHECK(result.batches == 1);
  CHECK(network.steps() == 1);
  CHECK(network.epochs() == 0);
  const Snapshot<double> before(network);
  data.x[5] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(network.run_epoch(data.inputs_view(), data.by_label(), cross_entropy(),
                                    optimizer(Opt::sgd, 0.1), o),
                  DivergenceError);
  CHECK(Snapshot<double>(network) == before);
}

TEST_CASE("with one batch an epoch, what a divergence restores predicts finite numbers") {
  const DataSet data(12, 3, 2);
  const RowsView x = data.inputs_view();
  for (const bool validated : {false, true}) {
    CAPTURE(validated);
    Network<float> network({dense(4), dense(4), dense(2)}, 3, 1);
    Trainer<float>(network, mse(), optimizer(Opt::adam, 1e-3))
        .fit(x, data.by_row(), {.epochs = 3, .batch_size = 12});
    const Snapshot<float> before(network);
    Trainer<float> wild(network, mse(), optimizer(Opt::adam, 1e22));
    FitOptions o{.epochs = 5, .batch_size = 12};
    if (validated) {
      o.validation_x = x;
      o.validation_y = data.by_row();
    }
    try {
      wild.fit(x, data.by_row(), o);
      FAIL("it did not diverge");
    } catch (const DivergenceError& error) {
      CHECK(error.epoch == (validated ? 4 : 5));
      CHECK(std::string(error.what()).find(validated ? "validation loss" : "before epoch 4") !=
            std::string::npos);
    }
    CHECK(Snapshot<float>(network) == before);
    for (const float output : network.predict(x)) CHECK(std::isfinite(output));
  }
}
