// SPDX-License-Identifier: Apache-2.0
// What a trainer may be set to while Trainer::fit runs, and what decides its rates and its end.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/trainer.hpp"
#include "small_fit.hpp"

using namespace chainrule;
using namespace chainrule::testing;

TEST_CASE("an optimizer that is set between batches makes the next steps") {
  Network<float> by_hand = classifier();
  by_hand.adapt(data().inputs_view());
  Network<float> network = classifier();
  Trainer<float> trainer(network, cross_entropy(), sgd);
  FitOptions o = fit_options(2, false);
  o.on_batch = [&](const BatchReport& report) {
    if (report.epoch == 1 && report.batch == 3)
      trainer.set_optimizer(optimizer(Optimizer::Kind::sgd, 0.5));
    return false;
  };
  const auto reports = fit(trainer, o);
  CHECK(reports[0].learning_rate == 0.5);
  CHECK(trainer.optimizer().learning_rate() == 0.5);
  for (const std::vector<double>& rates :
       {std::vector<double>{0.05, 0.05, 0.05, 0.5}, std::vector<double>(4, 0.5)}) {
    EpochOptions epoch = options(16);
    epoch.learning_rates = rates.data();
    by_hand.run_epoch(data().inputs_view(), data().by_label(), cross_entropy(), sgd, epoch);
  }
  CHECK(Snapshot<float>(network) == Snapshot<float>(by_hand));
}

TEST_CASE("a schedule that is set begins with the next step, an equal one goes on") {
  Schedule schedule = Schedule::defaults(Schedule::Kind::step);
  schedule.learning_rate = 0.1;
  schedule.period = 1;
  Network<float> network = classifier();
  Trainer<float> trainer(network, cross_entropy(), sgd);
  FitOptions o = fit_options(4, false);
  o.on_epoch = [&](const EpochReport& report) {
    if (report.epoch == 2) trainer.set_optimizer(sgd, schedule);
    if (report.epoch == 3) trainer.set_optimizer(sgd, schedule);
    return false;
  };
  const auto reports = fit(trainer, o);
  CHECK(trainer.schedule_origin() == 2 * kBatches);
  CHECK(reports[1].learning_rate == 0.05);
  CHECK(reports[2].learning_rate == schedule.rate(kBatches - 1, kBatches));
  CHECK(reports[3].learning_rate == schedule.rate(2 * kBatches - 1, kBatches));
  CHECK(reports[2].learning_rate != reports[3].learning_rate);
}

TEST_CASE("a schedule of weight decay that is set between batches begins with the next step") {
  constexpr std::int64_t begins = kBatches + 2;
  Schedule halved = Schedule::defaults(Schedule::Kind::step);
  halved.learning_rate = 1.0;
  halved.period = 1;
  halved.gamma = 0.5;
  const Optimizer decaying(Sgd{.learning_rate = 0.05, .weight_decay = 0.5},
                           {.weight_decay_schedule = halved});
  Network<float> network = classifier();
  Trainer<float> trainer(network, cross_entropy(), sgd);
  FitOptions o = fit_options(3, false);
  o.on_batch = [&](const BatchReport& report) {
    if (report.epoch == 2 && report.batch == 2) trainer.set_optimizer(decaying);
    // An equal one goes on.
    if (report.epoch == 3 && report.batch == 2) trainer.set_optimizer(decaying);
    return false;
  };
  fit(trainer, o);
  CHECK(trainer.schedule_origin() == begins);

  Network<float> by_hand = classifier();
  by_hand.adapt(data().inputs_view());
  for (std::int64_t step = 0; step < 3 * kBatches; ++step) {
    const double factor = step < begins ? 0.0 : std::pow(0.5, (step - begins) / kBatches);
    EpochOptions epoch = options(16);
    epoch.first_batch = step % kBatches;
    epoch.batches = 1;
    by_hand.run_epoch(data().inputs_view(), data().by_label(), cross_entropy(),
                      Sgd{.learning_rate = 0.05, .weight_decay = 0.5 * factor}, epoch);
  }
  CHECK(Snapshot<float>(network) == Snapshot<float>(by_hand));

  // A trainer's begins where that does.
  CHECK(Trainer<float>(network, cross_entropy(), decaying).schedule_origin() == 3 * kBatches);
  CHECK(Trainer<float>(network, cross_entropy(), sgd).schedule_origin() == 0);
}

TEST_CASE("losses that are set are those of the next epoch, and are refused within one") {
  Network<float> network = classifier();
  Trainer<float> trainer(network, Loss::defaults(Loss::Kind::mae), sgd);
  FitOptions o = fit_options(2, false);
  int refused = 0;
  o.on_batch = [&](const BatchReport&) {
    try {
      trainer.set_losses(mse());
    } catch (const StateError&) {
      ++refused;
    }
    return false;
  };
  o.on_epoch_begin = [&](std::int64_t epoch) {
    if (epoch == 2) trainer.set_losses(mse());
    return false;
  };
  trainer.fit(data().inputs_view(), data().by_row(), o);
  CHECK(refused == 2 * kBatches);
  CHECK(trainer.losses()[0].kind == Loss::Kind::mse);
  Network<float> by_hand = classifier();
  by_hand.adapt(data().inputs_view());
  for (const Loss& loss : {Loss::defaults(Loss::Kind::mae), mse()})
    by_hand.run_epoch(data().inputs_view(), data().by_row(), loss, sgd, options(16));
  CHECK(Snapshot<float>(network) == Snapshot<float>(by_hand));
}

TEST_CASE("rates of the caller's take the place of the schedule's") {
  Network<float> by_hand = classifier();
  by_hand.adapt(data().inputs_view());
  Network<float> network = classifier();
  Trainer<float> trainer(network, cross_entropy(), sgd);
  FitOptions o = fit_options(2, false);
  const auto rate = [](std::int64_t step) { return 0.1 / static_cast<double>(step + 1); };
  o.learning_rates = [&](std::int64_t step, std::int64_t count, std::int64_t, double* rates) {
    for (std::int64_t i = 0; i < count; ++i) rates[i] = rate(step + i);
    return true;
  };
  const auto reports = fit(trainer, o);
  CHECK(reports[1].learning_rate == rate(7));
  for (std::int64_t e = 0; e < 2; ++e) {
    std::vector<double> rates;
    for (std::int64_t b = 0; b < kBatches; ++b) rates.push_back(rate(e * kBatches + b));
    EpochOptions epoch = options(16);
    epoch.learning_rates = rates.data();
    by_hand.run_epoch(data().inputs_view(), data().by_label(), cross_entropy(), sgd, epoch);
  }
  CHECK(Snapshot<float>(network) == Snapshot<float>(by_hand));
}

TEST_CASE("a plateau and early stopping watch values of the caller's") {
  Schedule schedule = Schedule::defaults(Schedule::Kind::reduce_on_plateau);
  schedule.learning_rate = 0.1;
  schedule.gamma = 0.5;
  schedule.patience = 0;
  Network<float> network = classifier();
  Trainer<float> trainer(network, cross_entropy(), sgd, schedule);
  trainer.set_monitor("score", true);
  FitOptions o = fit_options(20, false);
  o.early_stopping =
      EarlyStopping{.monitor = "score", .patience = 3, .mode = EarlyStopping::Mode::max};
  CHECK_THROWS_WITH_AS(fit(trainer, o), doctest::Contains("got 'score'"), Error);
  const std::vector<double> scores{1, 3, 2, 4, 4, 3, 1, 9};
  std::size_t place = 0;
  std::vector<Snapshot<float>> after;
  o.on_validated = [&](const EpochReport& report, const LossSums& losses) {
    CHECK(losses.empty());
    place = static_cast<std::size_t>(report.epoch) - 1;
  };
  o.monitored = [&](const std::string& name) {
    CHECK(name == "score");
    return scores[place];
  };
  o.on_epoch = [&](const EpochReport&) {
    after.emplace_back(network);
    return false;
  };
  const auto reports = fit(trainer, o);
  REQUIRE(reports.size() == 7);
  Plateau plateau(schedule);
  plateau.best = -std::numeric_limits<double>::infinity();
  CHECK(trainer.early_stopping().best_epoch == 4);
  CHECK(parameter(network, "1.weight") == after[3].arrays.at("1.weight"));
  double rate = 0.1;
  for (std::size_t e = 0; e < 7; ++e) {
    CHECK(reports[e].learning_rate == rate);
    rate = plateau.observe(schedule, scores[e], true);
  }
}

TEST_CASE("the name that a file's schedule watches is watched, validation or not") {
  TrainingState training;
  training.loss = cross_entropy();
  training.optimizer = sgd;
  training.schedule = Schedule::defaults(Schedule::Kind::reduce_on_plateau);
  training.schedule->learning_rate = 0.1;
  training.plateau.emplace(*training.schedule);
  training.monitor = "loss";
  Network<float> network = classifier();
  Trainer<float> trainer = resume_training(network, training);
  CHECK(training_state(trainer).monitor == "loss");
  const auto reports = fit(trainer, fit_options(1));
  CHECK(reports[0].loss != reports[0].validation_loss);
  CHECK(trainer.plateau()->best == reports[0].loss);
}
