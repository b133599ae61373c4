// SPDX-License-Identifier: Apache-2.0
// What the loop of Trainer::fit asks and tells, and in which order.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/full_batch.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/trainer.hpp"
#include "small_fit.hpp"

using namespace chainrule;
using namespace chainrule::testing;

TEST_CASE("events come in one order, and nothing is trained by asking for them") {
  Network<float> plain = classifier();
  Trainer<float> silent(plain, cross_entropy(), sgd);
  const auto expected = fit(silent, fit_options(2));

  Network<float> network = classifier();
  Trainer<float> trainer(network, cross_entropy(), sgd);
  FitOptions o = fit_options(2);
  std::string events;
  o.on_begin = [&] {
    CHECK(network.adapted());
    events += "begin ";
    return false;
  };
  o.on_epoch_begin = [&](std::int64_t epoch) {
    events += "epoch" + std::to_string(epoch) + " ";
    return false;
  };
  o.learning_rates = [&](std::int64_t step, std::int64_t count, std::int64_t per_epoch, double*) {
    CHECK(count == kBatches);
    CHECK(per_epoch == kBatches);
    events += "rates" + std::to_string(step) + " ";
    return false;
  };
  o.on_batch = [&](const BatchReport& report) {
    events += std::to_string(report.batch) + " ";
    return false;
  };
  o.on_trained = [&](const EpochReport& report, const LossSums& losses) {
    CHECK(report.loss == losses[0].mean());
    CHECK(std::isnan(report.validation_loss));
    events += "trained ";
  };
  o.on_validated = [&](const EpochReport& report, const LossSums& losses) {
    CHECK(report.validation_loss == losses[0].mean());
    events += "validated ";
  };
  o.on_epoch = [&](const EpochReport& report) {
    CHECK(report.epoch == network.epochs());
    events += "end ";
    return false;
  };
  const auto reports = fit(trainer, o);
  CHECK(events ==
        "begin epoch1 rates0 1 2 3 4 trained validated end epoch2 rates4 1 2 3 4 trained validated "
        "end ");
  CHECK(Snapshot<float>(network) == Snapshot<float>(plain));
  REQUIRE(reports.size() == expected.size());
  for (std::size_t e = 0; e < reports.size(); ++e) {
    CHECK(reports[e].loss == expected[e].loss);
    CHECK(reports[e].validation_loss == expected[e].validation_loss);
  }
}

TEST_CASE("a training that ends before its first step leaves Normalization layers unadapted") {
  for (const bool early : {true, false}) {
    Network<float> network = classifier();
    const Snapshot<float> before(network);
    Trainer<float> trainer(network, cross_entropy(), sgd);
    FitOptions o = fit_options(3);
    if (early) {
      o.on_begin = [] { return true; };
    } else {
      o.on_epoch_begin = [](std::int64_t) { return true; };
    }
    CHECK(fit(trainer, o).empty());
    CHECK_FALSE(network.adapted());
    CHECK(Snapshot<float>(network) == before);
  }
}

TEST_CASE("validation rows are read in pieces to the loss and outputs of all rows") {
  for (const bool weighted : {false, true}) {
    const DataSet& training = data();
    const Loss loss = weighted ? mse() : cross_entropy();
    const TargetsView y = weighted ? training.by_row() : training.by_label();
    FitOptions o = fit_options(2);
    if (weighted) {
      TargetsView rows = other_data().by_row();
      rows.sample_weights = other_data().weights.data();
      o.validation_y = rows;
    }
    Network<float> plain = classifier();
    Trainer<float> in_memory(plain, loss, sgd);
    const auto expected = in_memory.fit(training.inputs_view(), y, o);

    Network<float> network = classifier();
    Trainer<float> trainer(network, loss, sgd);
    std::vector<float> outputs(300 * 4);
    std::vector<double> piece;
    o.validation_x = RowsView{.rows = 300, .columns = 6};
    o.validation_outputs = outputs.data();
    o.read_validation = [&](const std::int64_t* numbers, std::int64_t count) {
      const auto begin = other_data().x.begin() + 6 * numbers[0];
      CHECK(numbers[count - 1] == numbers[0] + count - 1);
      piece.assign(begin, begin + 6 * count);
      return view(piece.data(), count, 6);
    };
    const auto reports = trainer.fit(training.inputs_view(), y, o);
    REQUIRE(reports.size() == 2);
    for (std::size_t e = 0; e < 2; ++e)
      CHECK(reports[e].validation_loss == expected[e].validation_loss);
    CHECK(outputs == network.predict(other_data().inputs_view()));
    CHECK(Snapshot<float>(network) == Snapshot<float>(plain));
  }
}

TEST_CASE("an exception takes the epoch back unless the caller keeps it") {
  for (const bool keeps : {false, true}) {
    for (const char* const place : {"batch", "trained", "validated"}) {
      CAPTURE(keeps);
      CAPTURE(place);
      Network<float> network = classifier();
      Trainer<float> trainer(network, cross_entropy(), sgd);
      fit(trainer, fit_options(1));
      const Snapshot<float> before(network);
      FitOptions o = fit_options(2);
      const auto fails = [&](const char* here) {
        if (std::string(here) == place) throw std::range_error("no");
      };
      o.on_batch = [&](const BatchReport& report) {
        if (report.batch == 2) fails("batch");
        return false;
      };
      o.on_trained = [&](const EpochReport&, const LossSums&) { fails("trained"); };
      o.on_validated = [&](const EpochReport&, const LossSums&) { fails("validated"); };
      std::optional<bool> asked;
      o.keeps = [&](const std::exception_ptr& error, bool whole) {
        asked = whole;
        CHECK_THROWS_AS(std::rethrow_exception(error), std::range_error);
        return keeps;
      };
      CHECK_THROWS_AS(fit(trainer, o), std::range_error);
      const bool in_batch = std::string(place) == "batch";
      CHECK(asked == !in_batch);
      CHECK((Snapshot<float>(network) == before) == !keeps);
      CHECK(network.total_steps() == kBatches + (keeps ? (in_batch ? 2 : kBatches) : 0));
      CHECK(network.epochs() == (keeps && !in_batch ? 2 : 1));
    }
  }
}

TEST_CASE("what follows an epoch whose batches are all done follows them after a break too") {
  Schedule schedule = Schedule::defaults(Schedule::Kind::reduce_on_plateau);
  schedule.learning_rate = 0.1;
  schedule.patience = 0;
  schedule.gamma = 0.5;
  Network<float> unbroken = classifier();
  Trainer<float> whole(unbroken, cross_entropy(), sgd, schedule);
  std::string file;
  BatchReport last;
  FitOptions o = fit_options(3);
  o.on_batch = [&](const BatchReport& report) {
    if (report.epoch != 2 || report.batch != kBatches) return false;
    file = model_bytes(unbroken, training_state(whole));
    last = report;
    return false;
  };
  const auto expected = fit(whole, o);

  Model<float> model = read_model<float>(file);
  Trainer<float> trainer = resume_training(model.network, model.training);
  o = fit_options(2);
  o.first_batch = kBatches;
  CHECK_THROWS_WITH_AS(fit(trainer, o), "first_batch must lie in 0..3, got 4", Error);
  o.losses_before = last.losses;
  const auto reports = fit(trainer, o);
  REQUIRE(reports.size() == 2);
  for (std::size_t e = 0; e < 2; ++e) {
    CHECK(reports[e].epoch == expected[e + 1].epoch);
    CHECK(reports[e].loss == expected[e + 1].loss);
    CHECK(reports[e].validation_loss == expected[e + 1].validation_loss);
    CHECK(reports[e].learning_rate == expected[e + 1].learning_rate);
  }
  CHECK(Snapshot<float>(model.network) == Snapshot<float>(unbroken));
}

TEST_CASE("outputs are those of the passes, and one that is not finite is a divergence") {
  Network<float> network({Dense(4)}, 6, 3);
  Trainer<float> trainer(network, mse(), sgd);
  std::vector<float> outputs(50 * 4);
  FitOptions o = fit_options(1, false);
  o.batch_size = 50;
  o.outputs = outputs.data();
  const std::vector<float> expected = network.predict(data().inputs_view());
  trainer.fit(data().inputs_view(), data().by_row(), o);
  CHECK(outputs == expected);
  const Snapshot<float> before(network);
  o.on_batch = [&](const BatchReport&) {
    outputs[7] = std::numeric_limits<float>::infinity();
    return false;
  };
  CHECK_THROWS_WITH_AS(trainer.fit(data().inputs_view(), data().by_row(), o),
                       doctest::Contains("the loss of an output became NaN in epoch 2, batch 1, "
                                         "first seen in layer 0 (dense)"),
                       DivergenceError);
  CHECK(Snapshot<float>(network) == before);
}

TEST_CASE("epochs that another trainer makes are validated and told as batches are") {
  const Optimizer none;
  const Network<float> start({Dense(5, "tanh"), Dense(4)}, 6, 3);
  const RowsView x = data().inputs_view();
  const TargetsView y = data().by_row();
  Network<float> by_hand(start), network(start);
  FullBatchTrainer<float> steps(by_hand, x, y, mse(), Lbfgs{.max_iterations = 4});
  FullBatchTrainer<float> iterations(network, x, y, mse(), Lbfgs{.max_iterations = 4});
  Trainer<float> trainer(network, mse(), none);
  FitOptions o = fit_options(9);
  o.validation_y = other_data().by_row();
  o.iterate = [&](EpochResult& result) {
    if (!iterations.step()) return false;
    result.epoch_loss = iterations.report().loss;
    result.epoch_losses = iterations.report().losses;
    return true;
  };
  std::vector<std::int64_t> begun;
  o.on_epoch_begin = [&](std::int64_t epoch) {
    begun.push_back(epoch);
    return false;
  };
  const auto reports = trainer.fit(x, y, o);
  CHECK(begun == std::vector<std::int64_t>{1, 2, 3, 4, 5});
  REQUIRE(reports.size() == 4);
  for (const EpochReport& report : reports) {
    REQUIRE(steps.step());
    CHECK(report.loss == steps.report().loss);
    CHECK(report.validation_loss == by_hand.evaluate(other_data().inputs_view(),
                                                     other_data().by_row(), mse(), 256, 0,
                                                     nullptr));
  }
  CHECK(Snapshot<float>(network) == Snapshot<float>(by_hand));
  // What an exception ends stays, since an iteration only makes the loss smaller.
  FullBatchTrainer<float> more(network, x, y, mse(), Lbfgs{});
  o.iterate = [&](EpochResult&) { return more.step(); };
  o.on_trained = [](const EpochReport&, const LossSums&) { throw std::range_error("no"); };
  CHECK_THROWS_AS(trainer.fit(x, y, o), std::range_error);
  CHECK(network.epochs() == 5);
}
