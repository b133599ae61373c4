// SPDX-License-Identifier: Apache-2.0
// What chainrule_trainer_fit asks and tells, against the same training in C++.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "c_training.hpp"

using namespace chainrule;
using namespace chainrule::testing;

TEST_CASE("C: events come in the order of C++ and change nothing") {
  Training t;
  t.validate();
  t.options.epochs = 2;
  t.options.on_begin = [](void* c) {
    training(c).events += "begin ";
    return 0;
  };
  t.options.on_epoch_begin = [](void* c, std::int64_t epoch) {
    training(c).events += "epoch" + std::to_string(epoch) + " ";
    return 0;
  };
  t.options.learning_rates = [](void* c, std::int64_t step, std::int64_t count,
                                std::int64_t per_epoch, double*) {
    CHECK(count == 4);
    CHECK(per_epoch == 4);
    training(c).events += "rates" + std::to_string(step) + " ";
    return 0;
  };
  t.options.on_batch = [](void* c, const chainrule_batch_report* report) {
    training(c).events += std::to_string(report->batch) + " ";
    CHECK(report->mean_loss == report->losses[0].sum / report->losses[0].weight);
    return 0;
  };
  t.options.on_trained = [](void* c, const chainrule_epoch_report* report,
                            const chainrule_loss_sum* losses) {
    CHECK(report->loss == losses[0].sum / losses[0].weight);
    CHECK(std::isnan(report->validation_loss));
    training(c).events += "trained ";
  };
  t.options.on_validated = [](void* c, const chainrule_epoch_report* report,
                              const chainrule_loss_sum* losses) {
    CHECK(report->validation_loss == losses[0].sum / losses[0].weight);
    training(c).losses.push_back(report->validation_loss);
    training(c).events += "validated ";
  };
  t.options.on_epoch = [](void* c, const chainrule_epoch_report*) {
    training(c).events += "end ";
    return 0;
  };
  CHECK(t.fit() == "none");
  CHECK(t.events ==
        "begin epoch1 rates0 1 2 3 4 trained validated end epoch2 rates4 1 2 3 4 trained validated "
        "end ");
  Same same;
  FitOptions o;
  o.epochs = 2;
  o.validation_x = view(same.x.data(), 1, 4);
  const auto reports = same.fit(o);
  CHECK(t.weights() == same.weights());
  CHECK(t.losses == std::vector<double>{reports[0].validation_loss, reports[1].validation_loss});
  CHECK(t.last.loss == reports[1].loss);
}

TEST_CASE("C: on_validated comes without validation data too, with no losses") {
  Training t;
  t.options.on_validated = [](void* c, const chainrule_epoch_report* report,
                              const chainrule_loss_sum* losses) {
    CHECK(losses == nullptr);
    CHECK(std::isnan(report->validation_loss));
    training(c).events += "validated";
  };
  CHECK(t.fit() == "none");
  CHECK(t.events == "validated");
}

TEST_CASE("C: on_begin and on_epoch_begin end the training") {
  for (const bool early : {true, false}) {
    Training t;
    const std::vector<float> before = t.weights();
    t.options.epochs = 3;
    if (early) {
      t.options.on_begin = [](void*) { return 1; };
    } else {
      t.options.on_epoch_begin = [](void*, std::int64_t epoch) { return epoch == 2 ? 1 : 0; };
    }
    CHECK(t.fit() == "none");
    CHECK(t.last.epoch == (early ? 0 : 1));
    CHECK((t.weights() == before) == early);
  }
}

TEST_CASE("C: rates of the caller's take the place of the optimizer's") {
  Training t;
  t.options.learning_rates = [](void*, std::int64_t step, std::int64_t count, std::int64_t,
                                double* rates) {
    for (std::int64_t i = 0; i < count; ++i) rates[i] = 0.1 / static_cast<double>(step + i + 1);
    return 1;
  };
  t.options.epochs = 2;
  CHECK(t.fit() == "none");
  Same same;
  FitOptions o;
  o.epochs = 2;
  o.learning_rates = [](std::int64_t step, std::int64_t count, std::int64_t, double* rates) {
    for (std::int64_t i = 0; i < count; ++i) rates[i] = 0.1 / static_cast<double>(step + i + 1);
    return true;
  };
  same.fit(o);
  CHECK(t.last.learning_rate == 0.1 / 8);
  CHECK(t.weights() == same.weights());
}

TEST_CASE("C: early stopping watches a value of the caller's and puts the best weights back") {
  Training t;
  t.options.epochs = 9;
  t.options.early_stopping =
      CHAINRULE_JSON(
      {"kind": "early_stopping", "monitor": "score", "mode": "max", "patience": 2});
  t.options.monitored = [](void* c, const char* name) {
    CHECK(std::string(name) == "score");
    auto& own = training(c);
    const std::vector<double> scores{1, 3, 2, 2, 9};
    own.rates.push_back(0);
    return scores[own.rates.size() - 1];
  };
  CHECK(t.fit() == "none");
  CHECK(t.last.epoch == 4);
  const chainrule_early_stopping_info info = t.stopping();
  CHECK(info.best == 3.0);
  CHECK(info.best_epoch == 2);
  CHECK(info.waited == 2);
  CHECK(info.stopped_epoch == 4);
  Same same;
  FitOptions o;
  o.epochs = 2;
  same.fit(o);
  CHECK(t.weights() == same.weights());

  Training plain;
  plain.options.early_stopping = t.options.early_stopping;
  CHECK(plain.fit().find("monitor must be \"loss\" or \"val_loss\"") != std::string::npos);
}

TEST_CASE("C: poll_validation ends the training and leaves the epoch") {
  Training t;
  t.validate();
  t.options.epochs = 3;
  t.options.on_epoch = [](void* c, const chainrule_epoch_report*) {
    training(c).events += "end ";
    return 0;
  };
  t.options.poll_validation = [](void* c) {
    training(c).events += "poll ";
    return 1;
  };
  // The poll comes after 50 ms of validating, so there are many of the rows that are here.
  const std::vector<float> many(4 << 20, 0.5f), wanted(2 << 20);
  chainrule_rows x = c_rows(many, 4), y = c_rows(wanted, 2);
  const chainrule_targets targets = c_targets(&y);
  x.row_stride = sizeof(float);
  x.rows = y.rows = 1 << 20;
  t.options.validation_x = &x;
  t.options.validation_y = &targets;
  t.options.num_threads = 1;
  CHECK(t.fit() == "none");
  if (t.events.substr(0, 3) == "end") return;  // a machine that validates all of them in less
  CHECK(t.events == "poll ");
  CHECK(t.last.epoch == 1);
  CHECK(std::isfinite(t.last.loss));
  CHECK(std::isnan(t.last.validation_loss));
  Same same;
  const auto reports = same.fit({});
  CHECK(t.last.loss == reports[0].loss);
  CHECK(t.weights() == same.weights());
}

TEST_CASE("C: outputs of the batches and of the validation rows") {
  Training t;
  t.validate();
  std::vector<float> outputs(14), of_validation(14), expected(14);
  t.options.batch_size = 7;  // one batch, whose outputs are those from before
  t.options.outputs = outputs.data();
  t.options.outputs_size = 14 * sizeof(float);
  t.options.validation_outputs = of_validation.data();
  t.options.validation_outputs_size = 14 * sizeof(float);
  const auto predict = [&] {
    REQUIRE(chainrule_network_predict(t.network.get(), &t.rows, nullptr, expected.data(),
                                      14 * sizeof(float)) == CHAINRULE_OK);
  };
  predict();
  CHECK(t.fit() == "none");
  CHECK(outputs == expected);
  predict();
  CHECK(of_validation == expected);

  const std::vector<float> before = t.weights();
  t.options.outputs_size = 13 * sizeof(float);
  CHECK(t.fit() == "ARGUMENT: options.outputs takes 56 bytes, 14 numbers of type float32, got 52");
  t.options.outputs = nullptr;
  t.options.outputs_size = 14 * sizeof(float);
  CHECK(t.fit() == "ARGUMENT: options.outputs is NULL");
  t.options.outputs_size = 0;
  t.options.validation_outputs_size = 4;
  CHECK(t.fit().find("options.validation_outputs takes 56 bytes") != std::string::npos);
  CHECK(t.weights() == before);
}

TEST_CASE("C: data that are said to be checked are not looked through") {
  Training t;
  t.x[5] = std::numeric_limits<float>::infinity();
  CHECK(t.fit().substr(0, 8) == "ARGUMENT");
  t.options.data_checked = 1;
  CHECK(t.fit().substr(0, 10) == "DIVERGENCE");
}

TEST_CASE("C: a training that is called from within another's event is an error") {
  Training t;
  t.options.on_trained = [](void* c, const chainrule_epoch_report*, const chainrule_loss_sum*) {
    auto& own = training(c);
    own.answer =
        refusal(chainrule_trainer_step(own.trainer.get(), &own.rows, &own.targets, nullptr));
  };
  CHECK(t.fit() == "none");
  CHECK(t.answer.substr(0, 6) == "STATE:");
}
