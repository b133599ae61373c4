// SPDX-License-Identifier: Apache-2.0
// Trainers of networks with several inputs and outputs, against calls of the network itself.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "chainrule/chainrule.h"
#include "chainrule/error.hpp"
#include "chainrule/graph.hpp"
#include "chainrule/graph_config.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/network.hpp"
#include "chainrule/trainer.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using chainrule::testing::Draws;
using chainrule::testing::Snapshot;

constexpr std::int64_t kRows = 23;

constexpr const char* kGraph = CHAINRULE_JSON(
    {"nodes": [{"name": "a", "shape": [4]},
               {"name": "b", "shape": [3]},
               {"name": "h", "layer": {"kind": "dense", "units": 5, "activation": "tanh"}, "inputs": ["a"]},
               {"name": "g", "layer": {"kind": "dense", "units": 5}, "inputs": ["b"]},
               {"name": "sum", "layer": "add", "inputs": ["h", "g"]},
               {"name": "drop", "layer": {"kind": "dropout", "rate": 0.2}, "inputs": ["sum"]},
               {"name": "label", "layer": {"kind": "dense", "units": 3}, "inputs": ["drop"]},
               {"name": "size", "layer": {"kind": "dense", "units": 1}, "inputs": ["sum"]}],
     "outputs": ["label", "size"]});

Network<float> network() {
  return Network<float>(Graph::from_config(graph_config_from_json(kGraph)), 5);
}

/// Rows of both inputs side by side, as C has them.
struct Data {
  std::vector<float> x, size;
  std::vector<std::int64_t> label;

  explicit Data(std::uint64_t seed) {
    Draws draws(seed);
    for (std::int64_t i = 0; i < 7 * kRows; ++i)
      x.push_back(static_cast<float>(draws.uniform(-1, 1)));
    for (std::int64_t i = 0; i < kRows; ++i) {
      size.push_back(static_cast<float>(draws.uniform(-1, 1)));
      label.push_back(i % 3);
    }
  }
  std::vector<RowsView> inputs() const {
    RowsView a = view(x, 7);
    RowsView b = a;
    a.columns = 4;
    b.columns = 3;
    b.data = x.data() + 4;
    return {a, b};
  }
  std::vector<TargetsView> outputs() const { return {labels(label), targets(view(size, 1))}; }
};

const std::vector<Loss> kLosses{Loss::defaults(Loss::Kind::cross_entropy),
                                Loss::defaults(Loss::Kind::mse)};
const std::vector<double> kWeights{1.0, 0.25};

Losses losses() { return {kLosses, kWeights}; }
Optimizer rule() { return testing::optimizer(Optimizer::Kind::adam, 0.02); }

FitOptions options(std::int64_t epochs) {
  FitOptions o;
  o.epochs = epochs;
  o.batch_size = 5;
  return o;
}

}  // namespace

TEST_CASE("a trainer of several inputs and outputs does what the network's epochs do") {
  const Data data(1), other(2);
  Network<float> plain = network();
  std::vector<double> epoch_losses, validation_losses;
  for (int e = 0; e < 4; ++e) {
    EpochOptions o;
    o.batch_size = 5;
    epoch_losses.push_back(
        plain.run_epoch(data.inputs(), data.outputs(), losses(), rule(), o).epoch_loss);
    validation_losses.push_back(
        plain.evaluate(other.inputs(), other.outputs(), losses(), 256, 1, nullptr));
  }
  for (const int threads : {1, 3}) {
    Network<float> trained = network();
    Trainer<float> trainer(trained, losses(), rule());
    FitOptions o = options(4);
    o.num_threads = threads;
    o.validation_x = other.inputs();
    o.validation_y = other.outputs();
    const std::vector<EpochReport> reports = trainer.fit(data.inputs(), data.outputs(), o);
    REQUIRE(reports.size() == 4);
    for (std::size_t e = 0; e < 4; ++e) {
      CHECK(reports[e].loss == epoch_losses[e]);
      CHECK(reports[e].validation_loss == validation_losses[e]);
    }
    CHECK(Snapshot<float>(trained) == Snapshot<float>(plain));
    CHECK(trainer.evaluate(other.inputs(), other.outputs()) == validation_losses[3]);
  }
}

TEST_CASE("it goes on within an epoch, reads rows that are not in memory, and takes single steps") {
  const Data data(1);
  Network<float> unbroken = network();
  Trainer<float>(unbroken, losses(), rule()).fit(data.inputs(), data.outputs(), options(3));

  std::optional<Network<float>> copy;
  BatchReport there;
  Network<float> first = network();
  FitOptions o = options(3);
  o.on_batch = [&](const BatchReport& report) {
    if (report.epoch != 2 || report.batch != 3) return false;
    copy.emplace(first);
    there = report;
    return true;
  };
  Trainer<float>(first, losses(), rule()).fit(data.inputs(), data.outputs(), o);
  REQUIRE(copy);
  o = options(2);
  o.first_batch = there.batch;
  o.losses_before = there.losses;
  std::vector<float> a, b;
  o.read = [&](const std::int64_t* numbers, std::int64_t count) {
    a.clear();
    b.clear();
    for (std::int64_t i = 0; i < count; ++i) {
      const auto row = data.x.begin() + 7 * numbers[i];
      a.insert(a.end(), row, row + 4);
      b.insert(b.end(), row + 4, row + 7);
    }
    return std::vector<RowsView>{view(a, 4), view(b, 3)};
  };
  const std::vector<RowsView> elsewhere{{.rows = kRows, .columns = 4},
                                        {.rows = kRows, .columns = 3}};
  Trainer<float>(*copy, losses(), rule()).fit(elsewhere, data.outputs(), o);
  CHECK(Snapshot<float>(*copy) == Snapshot<float>(unbroken));

  Network<float> stepped = network(), run = network();
  EpochOptions whole;
  whole.batch_size = kRows;
  whole.shuffle = false;
  whole.whole_epoch = false;
  const double loss = Trainer<float>(stepped, losses(), rule()).step(data.inputs(), data.outputs());
  CHECK(loss == run.run_epoch(data.inputs(), data.outputs(), losses(), rule(), whole).loss);
  CHECK(Snapshot<float>(stepped) == Snapshot<float>(run));
}

TEST_CASE("early stopping puts the best weights of several outputs back") {
  const Data data(1), other(2);
  Network<float> trained = network(), again = network();
  FitOptions o = options(60);
  o.validation_x = other.inputs();
  o.validation_y = other.outputs();
  o.early_stopping = EarlyStopping{.patience = 2};
  Trainer<float> trainer(trained, losses(), testing::optimizer(Optimizer::Kind::adam, 0.1));
  trainer.fit(data.inputs(), data.outputs(), o);
  const EarlyStoppingMemory memory = trainer.early_stopping();
  REQUIRE(memory.stopped_epoch > 0);
  CHECK(trainer.evaluate(other.inputs(), other.outputs()) == memory.best);
}

TEST_CASE("what is wrong is told by the input or output") {
  const Data data(1);
  Network<float> trained = network();
  const std::vector<Loss> one{kLosses[0]};
  CHECK_THROWS_AS(Trainer<float>(trained, one[0], rule()), Error);
  Trainer<float> trainer(trained, losses(), rule());
  const Snapshot<float> before(trained);
  const auto refused = [&](const Data& given, const char* text) {
    CHECK_THROWS_WITH_AS(trainer.fit(given.inputs(), given.outputs(), options(1)),
                         doctest::Contains(text), Error);
    CHECK(Snapshot<float>(trained) == before);
  };
  Data wrong = data;
  wrong.x[5] = std::numeric_limits<float>::quiet_NaN();
  refused(wrong, "x[\"b\"] must be finite");
  wrong = data;
  wrong.size[2] = std::numeric_limits<float>::infinity();
  refused(wrong, "y[\"size\"]");
  wrong = data;
  wrong.label[4] = 3;
  refused(wrong, "is label 3");
  CHECK_THROWS_AS(trainer.fit(data.inputs()[0], data.outputs(), options(1)), Error);
  CHECK_THROWS_AS(trainer.fit(data.inputs(), data.outputs()[0], options(1)), Error);
  CHECK(Snapshot<float>(trained) == before);
}

namespace {

chainrule_rows c_rows(const std::vector<float>& values, std::int64_t columns) {
  chainrule_rows rows{};
  rows.struct_size = sizeof rows;
  rows.data = values.data();
  rows.type = CHAINRULE_FLOAT32;
  rows.rows = static_cast<std::int64_t>(values.size()) / columns;
  rows.columns = columns;
  return rows;
}

}  // namespace

TEST_CASE("C trains such networks to the same bits") {
  const Data data(1), other(2);
  Network<float> plain = network();
  FitOptions o = options(3);
  o.validation_x = other.inputs();
  o.validation_y = other.outputs();
  Trainer<float> trainer(plain, losses(), rule());
  const EpochReport expected = trainer.fit(data.inputs(), data.outputs(), o).back();

  chainrule_network* made = nullptr;
  chainrule_network_options net_options{};
  net_options.struct_size = sizeof net_options;
  net_options.seed = 5;
  REQUIRE(chainrule_network_create(kGraph, 7, &net_options, &made) == CHAINRULE_OK);
  chainrule_trainer_options trainer_options{};
  trainer_options.struct_size = sizeof trainer_options;
  trainer_options.loss = CHAINRULE_JSON([{"kind": "cross_entropy"}, {"kind": "mse"}]);
  trainer_options.optimizer = CHAINRULE_JSON({"kind": "adam", "learning_rate": 0.02});
  trainer_options.loss_weights = kWeights.data();
  chainrule_trainer* c_trainer = nullptr;
  REQUIRE(chainrule_trainer_create(made, &trainer_options, &c_trainer) == CHAINRULE_OK);

  const auto targets_of = [](const Data& from, const chainrule_rows& sizes) {
    std::vector<chainrule_targets> both(2);
    both[0].struct_size = both[1].struct_size = sizeof(chainrule_targets);
    both[0].labels = from.label.data();
    both[0].rows = kRows;
    both[1].values = &sizes;
    return both;
  };
  const chainrule_rows x = c_rows(data.x, 7), x_other = c_rows(other.x, 7);
  const chainrule_rows sizes = c_rows(data.size, 1), sizes_other = c_rows(other.size, 1);
  const std::vector<chainrule_targets> y = targets_of(data, sizes);
  const std::vector<chainrule_targets> y_other = targets_of(other, sizes_other);
  chainrule_fit_options fit{};
  fit.struct_size = sizeof fit;
  fit.epochs = 3;
  fit.batch_size = 5;
  fit.validation_x = &x_other;
  fit.validation_y = y_other.data();
  chainrule_epoch_report last{};
  last.struct_size = sizeof last;
  REQUIRE(chainrule_trainer_fit(c_trainer, &x, y.data(), &fit, &last) == CHAINRULE_OK);
  CHECK(last.loss == expected.loss);
  CHECK(last.validation_loss == expected.validation_loss);
  double loss = 0.0;
  CHECK(chainrule_trainer_step(c_trainer, &x, y.data(), &loss) == CHAINRULE_OK);
  CHECK(loss == trainer.step(data.inputs(), data.outputs()));
  CHECK(chainrule_trainer_evaluate(c_trainer, &x, y.data(), 1, &loss) == CHAINRULE_OK);
  CHECK(loss == trainer.evaluate(data.inputs(), data.outputs()));

  std::vector<float> outputs(4 * kRows);
  CHECK(chainrule_network_predict(made, &x, nullptr, outputs.data(),
                                  outputs.size() * sizeof(float)) == CHAINRULE_OK);
  CHECK(outputs == plain.predict(data.inputs()));

  std::vector<chainrule_targets> wrong = y;
  wrong[1].values = nullptr;
  CHECK(chainrule_trainer_fit(c_trainer, &x, wrong.data(), &fit, nullptr) ==
        CHAINRULE_ERROR_ARGUMENT);
  CHECK(std::string(chainrule_last_error()) == "y[1] has neither labels nor values");
  CHECK(chainrule_trainer_destroy(c_trainer) == CHAINRULE_OK);

  trainer_options.loss = CHAINRULE_JSON([{"kind": "mse"}]);
  CHECK(chainrule_trainer_create(made, &trainer_options, &c_trainer) == CHAINRULE_ERROR_ARGUMENT);
  chainrule_network_destroy(made);
}

TEST_CASE("C goes on within an epoch of several outputs, to the same bits") {
  const Data data(1);
  Network<float> unbroken = network();
  Trainer<float> trainer(unbroken, losses(), rule());
  const EpochReport expected = trainer.fit(data.inputs(), data.outputs(), options(2)).back();

  chainrule_network* made = nullptr;
  chainrule_network_options net_options{};
  net_options.struct_size = sizeof net_options;
  net_options.seed = 5;
  REQUIRE(chainrule_network_create(kGraph, 7, &net_options, &made) == CHAINRULE_OK);
  chainrule_trainer_options trainer_options{};
  trainer_options.struct_size = sizeof trainer_options;
  trainer_options.loss = CHAINRULE_JSON([{"kind": "cross_entropy"}, {"kind": "mse"}]);
  trainer_options.optimizer = CHAINRULE_JSON({"kind": "adam", "learning_rate": 0.02});
  trainer_options.loss_weights = kWeights.data();
  chainrule_trainer* c_trainer = nullptr;
  REQUIRE(chainrule_trainer_create(made, &trainer_options, &c_trainer) == CHAINRULE_OK);
  const chainrule_rows x = c_rows(data.x, 7), sizes = c_rows(data.size, 1);
  std::vector<chainrule_targets> y(2);
  y[0].struct_size = y[1].struct_size = sizeof(chainrule_targets);
  y[0].labels = data.label.data();
  y[0].rows = kRows;
  y[1].values = &sizes;

  struct Seen {
    std::vector<chainrule_loss_sum> losses;
    chainrule_batch_report report{};
  } seen;
  seen.losses.resize(2);
  chainrule_fit_options fit{};
  fit.struct_size = sizeof fit;
  fit.epochs = 2;
  fit.batch_size = 5;
  fit.context = &seen;
  fit.on_batch = [](void* context, const chainrule_batch_report* report) -> int {
    Seen& to = *static_cast<Seen*>(context);
    to.report = *report;
    to.losses.assign(report->losses, report->losses + 2);
    return report->batch == 3;
  };
  chainrule_epoch_report last{};
  last.struct_size = sizeof last;
  REQUIRE(chainrule_trainer_fit(c_trainer, &x, y.data(), &fit, &last) == CHAINRULE_OK);
  CHECK(last.epoch == 0);
  CHECK(seen.report.batch == 3);
  CHECK(seen.losses[0].sum == seen.report.loss_sum);
  CHECK(seen.losses[1].weight == seen.report.loss_weight);
  CHECK(seen.losses[1].sum != seen.losses[0].sum);

  const auto refused = [&] {
    CHECK(chainrule_trainer_fit(c_trainer, &x, y.data(), &fit, nullptr) ==
          CHAINRULE_ERROR_ARGUMENT);
    return std::string(chainrule_last_error());
  };
  fit.on_batch = nullptr;
  fit.first_batch = 3;
  fit.batch_before = &seen.report;
  CHECK(refused() == "options.losses_before is NULL, which first_batch needs for 2 outputs");
  fit.losses_before = seen.losses.data();
  fit.first_batch = 5;
  CHECK(refused() == "first_batch must lie in 0..4, got 5");
  fit.first_batch = 3;
  const chainrule_loss_sum right = seen.losses[1];
  for (const chainrule_loss_sum wrong : {chainrule_loss_sum{std::nan(""), right.weight, right.unit},
                                         chainrule_loss_sum{right.sum, -1.0, right.unit},
                                         chainrule_loss_sum{right.sum, right.weight, 0.0}}) {
    seen.losses[1] = wrong;
    CHECK(refused() == "losses_before[1] is no sum of losses, which a batch's report has");
  }
  seen.losses[1] = right;
  REQUIRE(chainrule_trainer_fit(c_trainer, &x, y.data(), &fit, &last) == CHAINRULE_OK);
  CHECK(last.epoch == 2);
  CHECK(last.loss == expected.loss);
  std::vector<float> outputs(4 * kRows);
  REQUIRE(chainrule_network_predict(made, &x, nullptr, outputs.data(),
                                    outputs.size() * sizeof(float)) == CHAINRULE_OK);
  CHECK(outputs == unbroken.predict(data.inputs()));
  CHECK(chainrule_trainer_destroy(c_trainer) == CHAINRULE_OK);
  chainrule_network_destroy(made);

  Network<float> other = network();
  FitOptions wrong = options(1);
  wrong.losses_before.resize(1);
  CHECK_THROWS_WITH_AS(
      Trainer<float>(other, losses(), rule()).fit(data.inputs(), data.outputs(), wrong),
      "losses_before must have a sum for each of 2 outputs, got 1", Error);
}
