// SPDX-License-Identifier: Apache-2.0
// Targets of outputs with several positions, from C++ and C.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "c_handles.hpp"
#include "chainrule/chainrule.h"
#include "chainrule/error.hpp"
#include "chainrule/graph.hpp"
#include "chainrule/graph_config.hpp"
#include "chainrule/network.hpp"
#include "chainrule/trainer.hpp"
#include "networks.hpp"

using namespace chainrule;
using namespace chainrule::testing;

TEST_CASE("labels, probabilities and weights at each of several positions, from C++ and C") {
  constexpr const char* graph = CHAINRULE_JSON(
      {"nodes": [{"name": "x", "shape": [3, 2]},
                 {"name": "h", "layer": {"kind": "dense", "units": 6, "activation": "tanh"}, "inputs": ["x"]},
                 {"name": "y", "layer": {"kind": "dense", "units": 4}, "inputs": ["h"]}],
       "outputs": ["y"]});
  constexpr std::int64_t rows = 17, positions = 3, classes = 4;
  Draws draws(3);
  std::vector<float> x, one_hot(rows * positions * classes);
  std::vector<std::int64_t> label;
  std::vector<double> weights;
  for (std::int64_t i = 0; i < rows * positions; ++i) {
    x.push_back(static_cast<float>(draws.uniform(-1, 1)));
    x.push_back(static_cast<float>(draws.uniform(-1, 1)));
    label.push_back((7 * i + i / 5) % classes);
    one_hot[static_cast<std::size_t>(i * classes + label.back())] = 1.0f;
    weights.push_back(draws.uniform(0, 2));
  }
  const Loss loss = Loss::defaults(Loss::Kind::cross_entropy);
  const auto make = [&] {
    return Network<float>(Graph::from_config(graph_config_from_json(graph)), 5);
  };
  const Optimizer rule = testing::optimizer(Optimizer::Kind::adam, 0.02);
  FitOptions o;
  o.epochs = 3;
  o.batch_size = 5;
  TargetsView by_label = labels(label, positions);
  TargetsView by_value = targets(view(one_hot, positions * classes));
  by_label.sample_weights = by_value.sample_weights = weights.data();
  by_label.weight_positions = by_value.weight_positions = positions;
  Network<float> of_labels = make(), of_values = make();
  Trainer<float> trainer(of_labels, loss, rule);
  const double expected = trainer.fit(view(x, 6), by_label, o).back().loss;
  Trainer<float> other(of_values, loss, rule);
  CHECK(other.fit(view(x, 6), by_value, o).back().loss == doctest::Approx(expected).epsilon(1e-6));
  CHECK(other.step(view(x, 6), by_value) ==
        doctest::Approx(trainer.step(view(x, 6), by_label)).epsilon(1e-6));
  one_hot[static_cast<std::size_t>(4 * positions * classes + 2 * classes)] += 0.5f;
  CHECK_THROWS_WITH_AS(
      other.fit(view(x, 6), by_value, o),
      "y[4], position 2, sums to 1.5: expected probabilities of the classes, which "
      "sum to 1",
      Error);
  CHECK_THROWS_WITH_AS(
      other.step(view(x, 6), by_value),
      "y[4], position 2, sums to 1.5: expected probabilities of the classes, which "
      "sum to 1",
      Error);
  one_hot[static_cast<std::size_t>(4 * positions * classes + 2 * classes)] -= 0.5f;

  const chainrule_rows c_x = c_rows(x, 6), c_values = c_rows(one_hot, positions * classes);
  for (const bool with_labels : {true, false}) {
    chainrule_network* made = nullptr;
    chainrule_network_options net_options{};
    net_options.struct_size = sizeof net_options;
    net_options.seed = 5;
    REQUIRE(chainrule_network_create(graph, 6, &net_options, &made) == CHAINRULE_OK);
    chainrule_trainer_options trainer_options{};
    trainer_options.struct_size = sizeof trainer_options;
    trainer_options.loss = "cross_entropy";
    trainer_options.optimizer = CHAINRULE_JSON({"kind": "adam", "learning_rate": 0.02});
    chainrule_trainer* c_trainer = nullptr;
    REQUIRE(chainrule_trainer_create(made, &trainer_options, &c_trainer) == CHAINRULE_OK);
    chainrule_targets y{};
    y.struct_size = sizeof y;
    y.rows = rows;
    if (with_labels) {
      y.labels = label.data();
    } else {
      y.values = &c_values;
    }
    y.label_positions = with_labels ? positions : 0;
    y.sample_weights = weights.data();
    y.weight_positions = positions;
    chainrule_fit_options fit{};
    fit.struct_size = sizeof fit;
    fit.epochs = 3;
    fit.batch_size = 5;
    chainrule_epoch_report last{};
    last.struct_size = sizeof last;
    REQUIRE(chainrule_trainer_fit(c_trainer, &c_x, &y, &fit, &last) == CHAINRULE_OK);
    if (with_labels) CHECK(last.loss == expected);
    CHECK(last.loss == doctest::Approx(expected).epsilon(1e-6));
    const auto refused = [&] {
      CHECK(chainrule_trainer_fit(c_trainer, &c_x, &y, &fit, nullptr) == CHAINRULE_ERROR_ARGUMENT);
      return std::string(chainrule_last_error());
    };
    y.weight_positions = 2;
    CHECK(refused().find("sample_weight has 2 weights a row; the loss takes one, or one for each "
                         "of the 3 positions") != std::string::npos);
    y.weight_positions = -1;
    CHECK(refused() == "y has weight_positions -1, expected 0 or more");
    y.weight_positions = positions;
    if (with_labels) {
      y.label_positions = 0;
      CHECK(refused().find("y has 1 labels a row; cross_entropy on outputs of shape (3, 4) "
                           "expects") != std::string::npos);
    }
    CHECK(chainrule_trainer_destroy(c_trainer) == CHAINRULE_OK);
    chainrule_network_destroy(made);
  }
}
