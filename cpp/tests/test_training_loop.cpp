// SPDX-License-Identifier: Apache-2.0
// The loop of Trainer::fit: early stopping, calls after batches, and going on within an epoch.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "c_handles.hpp"
#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/trainer.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Network<float> classifier() {
  return {{Dense(20, "relu"), BatchNormalization(), Dropout(0.2), Dense(4)}, 6, 11};
}

const DataSet& data() {
  static const DataSet instance(50, 6, 4);
  return instance;
}

const DataSet& other_data() {
  static const DataSet instance(30, 6, 4, 5);
  return instance;
}

FitOptions validated(std::int64_t epochs) {
  FitOptions o;
  o.epochs = epochs;
  o.batch_size = 16;
  o.validation_x = other_data().inputs_view();
  o.validation_y = other_data().by_label();
  return o;
}

/// A learning rate at which random labels stop being learnt after a few epochs.
const Optimizer rule = optimizer(Optimizer::Kind::adam, 0.05);

}  // namespace

TEST_CASE("early stopping tells the best of some values and when to end") {
  EarlyStopping stopping;
  stopping.patience = 2;
  stopping.min_delta = 0.1;
  const auto epochs_of = [&](const std::vector<double>& values) {
    EarlyStoppingMemory memory;
    std::int64_t epoch = 0;
    for (const double value : values) {
      memory.observe(stopping, ++epoch, value);
      if (memory.stopped_epoch > 0) break;
    }
    return std::vector<std::int64_t>{memory.best_epoch, memory.stopped_epoch, memory.waited};
  };
  using Found = std::vector<std::int64_t>;
  CHECK(epochs_of({1.0, 0.95, 0.85, 0.5, 0.45, 0.41, 0.0}) == Found{4, 6, 2});
  CHECK(epochs_of({kNaN, 2.0, kNaN, 1.0}) == Found{4, 0, 0});
  CHECK(epochs_of({kNaN, kNaN, 1.0}) == Found{0, 2, 2});
  stopping.mode = EarlyStopping::Mode::max;
  CHECK(epochs_of({1.0, 0.5, 2.0, 2.05, 2.08}) == Found{3, 5, 2});
  stopping.patience = 0;
  CHECK(epochs_of({1.0, 2.0, 2.0}) == Found{2, 3, 1});
}

TEST_CASE("early stopping ends where plain loops would, with the best epoch's parameters") {
  for (const bool restores : {true, false}) {
    CAPTURE(restores);
    FitOptions o = validated(1);
    Network<float> plain = classifier();
    Trainer<float> by_epoch(plain, cross_entropy(), rule);
    std::vector<EpochReport> all;
    std::vector<Snapshot<float>> after;
    double best = std::numeric_limits<double>::infinity();
    std::size_t best_index = 0;
    for (std::size_t waited = 0; waited < 3; ++waited) {
      REQUIRE(all.size() < 60);
      all.push_back(by_epoch.fit(data().inputs_view(), data().by_label(), o).at(0));
      after.emplace_back(plain);
      if (!(all.back().validation_loss < best)) continue;
      best = all.back().validation_loss;
      best_index = all.size() - 1;
      waited = static_cast<std::size_t>(-1);
    }
    o.epochs = 60;
    o.early_stopping = EarlyStopping{.patience = 3, .restore_best_weights = restores};
    Network<float> network = classifier();
    Trainer<float> trainer(network, cross_entropy(), rule);
    const std::vector<EpochReport> reports =
        trainer.fit(data().inputs_view(), data().by_label(), o);
    REQUIRE(reports.size() == all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      CHECK(reports[i].loss == all[i].loss);
      CHECK(reports[i].validation_loss == all[i].validation_loss);
    }
    CHECK(trainer.early_stopping().best == best);
    CHECK(trainer.early_stopping().best_epoch == static_cast<std::int64_t>(best_index) + 1);
    CHECK(trainer.early_stopping().stopped_epoch == static_cast<std::int64_t>(all.size()));
    Snapshot<float> expected = after.back();
    for (const ParameterInfo& info : network.parameters())
      if (restores) expected.arrays[info.name] = after[best_index].arrays[info.name];
    CHECK(Snapshot<float>(network) == expected);
  }
}

TEST_CASE("the best parameters come back however the training ends") {
  FitOptions o = validated(10);
  o.early_stopping = EarlyStopping{.patience = 50};
  Network<float> network = classifier();
  Trainer<float> trainer(network, cross_entropy(), rule);
  std::vector<Snapshot<float>> after;
  o.on_epoch = [&](const EpochReport&) -> bool {
    after.emplace_back(network);
    if (after.size() == 8) throw std::runtime_error("enough");
    return false;
  };
  CHECK_THROWS_WITH_AS(trainer.fit(data().inputs_view(), data().by_label(), o), "enough",
                       std::runtime_error);
  const auto best = static_cast<std::size_t>(trainer.early_stopping().best_epoch);
  REQUIRE(best < 8);
  CHECK(parameter(network, "0.weight") == after[best - 1].arrays.at("0.weight"));
  CHECK(network.epochs() == 8);
}

TEST_CASE("a call after each batch changes nothing and may end the training within an epoch") {
  FitOptions o = validated(3);
  Network<float> plain = classifier();
  const auto expected =
      Trainer<float>(plain, cross_entropy(), rule).fit(data().inputs_view(), data().by_label(), o);
  Network<float> network = classifier();
  Trainer<float> trainer(network, cross_entropy(), rule);
  std::vector<BatchReport> batches;
  o.on_batch = [&](const BatchReport& report) {
    batches.push_back(report);
    CHECK(network.total_steps() == static_cast<std::int64_t>(batches.size()));
    return false;
  };
  const auto reports = trainer.fit(data().inputs_view(), data().by_label(), o);
  CHECK(Snapshot<float>(network) == Snapshot<float>(plain));
  REQUIRE(batches.size() == 12);
  REQUIRE(reports.size() == 3);
  for (std::size_t e = 0; e < 3; ++e) {
    CHECK(reports[e].loss == expected[e].loss);
    CHECK(reports[e].validation_loss == expected[e].validation_loss);
    CHECK(batches[4 * e + 3].mean_loss == reports[e].loss);
    CHECK(batches[4 * e].loss == batches[4 * e].losses[0].mean());
    CHECK(batches[4 * e + 2].epoch == static_cast<std::int64_t>(e) + 1);
    CHECK(batches[4 * e + 2].batch == 3);
  }
  o.on_batch = [](const BatchReport& report) { return report.batch == 2; };
  CHECK(trainer.fit(data().inputs_view(), data().by_label(), o).empty());
  CHECK(network.epochs() == 3);
  CHECK(network.total_steps() == 14);
}

TEST_CASE("an exception after a batch takes the epoch back") {
  FitOptions o = validated(2);
  Network<float> network = classifier();
  Trainer<float> trainer(network, cross_entropy(), rule);
  trainer.fit(data().inputs_view(), data().by_label(), validated(1));
  const Snapshot<float> before(network);
  o.on_batch = [](const BatchReport& report) -> bool {
    if (report.batch == 3) throw std::range_error("no");
    return false;
  };
  CHECK_THROWS_AS(trainer.fit(data().inputs_view(), data().by_label(), o), std::range_error);
  CHECK(Snapshot<float>(network) == before);
}

TEST_CASE("a training that was saved after any batch goes on to the bits of an unbroken one") {
  Schedule schedule = Schedule::defaults(Schedule::Kind::exponential);
  schedule.learning_rate = 0.05;
  schedule.period = 2;
  const FitOptions all = validated(2);
  Network<float> unbroken = classifier();
  const auto expected = Trainer<float>(unbroken, cross_entropy(), rule, schedule)
                            .fit(data().inputs_view(), data().by_label(), all);
  for (std::int64_t stop = 1; stop < 4; ++stop) {
    CAPTURE(stop);
    Network<float> network = classifier();
    Trainer<float> first(network, cross_entropy(), rule, schedule);
    FitOptions o = all;
    BatchReport last;
    o.on_batch = [&](const BatchReport& report) {
      last = report;
      return report.batch == stop;
    };
    first.fit(data().inputs_view(), data().by_label(), o);
    const std::string file = model_bytes(network, training_state(first));
    Model<float> model = read_model<float>(file);
    Trainer<float> second = resume_training(model.network, model.training);
    o = all;
    o.first_batch = last.batch;
    o.losses_before = last.losses;
    const auto reports = second.fit(data().inputs_view(), data().by_label(), o);
    CHECK(Snapshot<float>(model.network) == Snapshot<float>(unbroken));
    REQUIRE(reports.size() == 2);
    for (std::size_t e = 0; e < 2; ++e) {
      CHECK(reports[e].loss == expected[e].loss);
      CHECK(reports[e].validation_loss == expected[e].validation_loss);
      CHECK(reports[e].learning_rate == expected[e].learning_rate);
    }
  }
}

TEST_CASE("rows that are read a few batches at a time train as those in memory do") {
  const DataSet many(300, 6, 4);
  const auto layers = [] {
    return Network<float>({Normalization(), Dense(20, "relu"), Dropout(0.2), Dense(4)}, 6, 11);
  };
  for (const bool shuffle : {true, false}) {
    for (const bool watched : {true, false}) {
      FitOptions o = validated(3);
      o.shuffle = shuffle;
      Network<float> plain = layers();
      const auto expected =
          Trainer<float>(plain, cross_entropy(), rule).fit(many.inputs_view(), many.by_label(), o);
      std::vector<double> gathered;
      std::int64_t most = 0;
      o.read = [&](const std::int64_t* numbers, std::int64_t count) {
        gathered.clear();
        most = std::max(most, count);
        for (std::int64_t i = 0; i < count; ++i)
          gathered.insert(gathered.end(), many.x.begin() + 6 * numbers[i],
                          many.x.begin() + 6 * numbers[i] + 6);
        return view(gathered.data(), count, 6);
      };
      if (watched) o.on_batch = [](const BatchReport&) { return false; };
      Network<float> network = layers();
      Trainer<float> trainer(network, cross_entropy(), rule);
      const RowsView elsewhere{.rows = 300, .columns = 6};
      const auto reports = trainer.fit(elsewhere, many.by_label(), o);
      CHECK(Snapshot<float>(network) == Snapshot<float>(plain));
      CHECK(most < 300);
      REQUIRE(reports.size() == 3);
      for (std::size_t e = 0; e < 3; ++e) {
        CHECK(reports[e].loss == expected[e].loss);
        CHECK(reports[e].validation_loss == expected[e].validation_loss);
      }
      const Snapshot<float> before(network);
      o.read = [read = o.read, calls = 0](const std::int64_t* numbers, std::int64_t count) mutable {
        return read(numbers, ++calls == 4 ? count - 1 : count);
      };
      CHECK_THROWS_WITH_AS(trainer.fit(elsewhere, many.by_label(), o),
                           doctest::Contains("read gave"), Error);
      CHECK(Snapshot<float>(network) == before);
    }
  }
}

TEST_CASE("labels that a call after a batch has spoilt are refused, and the epoch taken back") {
  DataSet spoilt = data();
  for (const int threads : {1, 3}) {
    Network<float> network = classifier();
    const Snapshot<float> before(network);
    FitOptions o = validated(1);
    o.num_threads = threads;
    o.on_batch = [&](const BatchReport& report) {
      if (report.batch == 2) spoilt.labels.assign(spoilt.labels.size(), 4);
      return false;
    };
    Trainer<float> trainer(network, cross_entropy(), rule);
    CHECK_THROWS_WITH_AS(trainer.fit(spoilt.inputs_view(), spoilt.by_label(), o),
                         doctest::Contains("is label 4; the network has 4 outputs"), Error);
    CHECK(Snapshot<float>(network) == before);
    spoilt.labels = data().labels;
    CHECK(trainer.fit(spoilt.inputs_view(), spoilt.by_label(), validated(1)).size() == 1);
  }
}

TEST_CASE("options of early stopping are those of its description") {
  const EarlyStopping given{"loss", 0.25, 7, EarlyStopping::Mode::max, false};
  CHECK(EarlyStopping::from_config(given.config()) == given);
  CHECK(EarlyStopping::from_config({"early_stopping", {}}) == EarlyStopping{});
  CHECK(to_json(given.config()) ==
        "{\"kind\": \"early_stopping\", \"monitor\": \"loss\", \"min_delta\": 0.25, \"patience\": "
        "7, \"mode\": \"max\", \"restore_best_weights\": false}");
  CHECK_THROWS_WITH_AS(EarlyStopping::from_config({"early_stopping", {{"mode", "up"}}}),
                       doctest::Contains("mode"), Error);
  CHECK_THROWS_WITH_AS(EarlyStopping::from_config({"early_stopping", {{"patience", -1}}}),
                       doctest::Contains("patience must be >= 0"), Error);
  CHECK_THROWS_WITH_AS(EarlyStopping::from_config({"adam", {}}), doctest::Contains("adam"), Error);
  Network<float> network = classifier();
  Trainer<float> trainer(network, cross_entropy(), rule);
  const Snapshot<float> before(network);
  const auto refusal = [&](const auto& change) {
    FitOptions o = validated(1);
    change(o);
    std::string text;
    try {
      trainer.fit(data().inputs_view(), data().by_label(), o);
    } catch (const Error& error) {
      text = error.what();
    }
    CHECK(Snapshot<float>(network) == before);
    return text;
  };
  CHECK(refusal([](FitOptions& o) { o.early_stopping = {.monitor = "val_accuracy"}; }) ==
        "early_stopping: monitor must be \"loss\" or \"val_loss\", got 'val_accuracy'");
  CHECK(refusal([](FitOptions& o) {
          o.early_stopping.emplace();
          o.validation_x = {};
          o.validation_y = {};
        }) == "early_stopping: monitor is \"val_loss\", which needs validation data");
  CHECK(refusal([](FitOptions& o) { o.early_stopping = {.min_delta = kNaN}; }).find("min_delta") !=
        std::string::npos);
  CHECK(refusal([](FitOptions& o) { o.first_batch = 4; }) == "first_batch must lie in 0..3, got 4");
}

TEST_CASE("C: early stopping, calls after batches, and going on within an epoch") {
  const std::vector<float> x{1, 2, 3, 4, 5, 6, 7, 8, 2, 1, 0, -1}, y{0.5f, -0.5f, 1, -1, 0, 1};
  const chainrule_rows rows = c_rows(x, 4);
  const chainrule_rows values = c_rows(y, 2);
  const chainrule_targets wanted = c_targets(&values);
  chainrule_fit_options options{};
  options.struct_size = sizeof options;
  options.epochs = 2;
  options.batch_size = 1;
  const auto weights = [](const CNetwork& network) {
    std::vector<float> w(12);
    REQUIRE(chainrule_network_get_parameter(network.get(), "0.weight", w.data(), 48) ==
            CHAINRULE_OK);
    return w;
  };
  chainrule_epoch_report expected{}, last{};
  expected.struct_size = last.struct_size = sizeof last;
  const CNetwork unbroken = c_network();
  REQUIRE(chainrule_trainer_fit(c_trainer(unbroken).get(), &rows, &wanted, &options, &expected) ==
          CHAINRULE_OK);

  const CNetwork network = c_network();
  const CTrainer trainer = c_trainer(network);
  chainrule_batch_report batch{};
  options.context = &batch;
  options.on_batch = [](void* context, const chainrule_batch_report* report) -> int {
    *static_cast<chainrule_batch_report*>(context) = *report;
    return report->batch == 2;
  };
  REQUIRE(chainrule_trainer_fit(trainer.get(), &rows, &wanted, &options, &last) == CHAINRULE_OK);
  CHECK(batch.batch == 2);
  CHECK(batch.epoch == 1);
  CHECK(last.epoch == 0);
  options.on_batch = nullptr;
  options.first_batch = 2;
  CHECK(chainrule_trainer_fit(trainer.get(), &rows, &wanted, &options, &last) ==
        CHAINRULE_ERROR_ARGUMENT);
  CHECK(std::string(chainrule_last_error()).find("batch_before") != std::string::npos);
  options.batch_before = &batch;
  REQUIRE(chainrule_trainer_fit(trainer.get(), &rows, &wanted, &options, &last) == CHAINRULE_OK);
  CHECK(last.epoch == 2);
  CHECK(last.loss == expected.loss);
  CHECK(weights(network) == weights(unbroken));

  options.first_batch = 0;
  options.batch_before = nullptr;
  options.epochs = 50;
  options.early_stopping =
      R"({"kind": "early_stopping", "monitor": "loss", "patience": 1, "min_delta": 1e9})";
  REQUIRE(chainrule_trainer_fit(trainer.get(), &rows, &wanted, &options, &last) == CHAINRULE_OK);
  CHECK(last.epoch == 4);
  options.early_stopping = R"({"kind": "early_stopping", "patience": -1})";
  CHECK(chainrule_trainer_fit(trainer.get(), &rows, &wanted, &options, &last) ==
        CHAINRULE_ERROR_ARGUMENT);
}
