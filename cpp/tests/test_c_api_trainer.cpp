// SPDX-License-Identifier: Apache-2.0
// What a C caller asks a trainer and sets it to, between trainings and from within their events.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "c_training.hpp"
#include "chainrule/config.hpp"
#include "chainrule/optimizers.hpp"
#include "chainrule/schedule.hpp"

using namespace chainrule;
using namespace chainrule::testing;

namespace {

constexpr const char* kPlateau =
    R"({"kind": "reduce_on_plateau", "learning_rate": 0.05, "gamma": 0.5, "patience": 0})";

}  // namespace

TEST_CASE("C: a plateau is watched, asked and set") {
  Training t;
  chainrule_plateau plateau{};
  plateau.struct_size = sizeof plateau;
  chainrule_trainer* const trainer = t.trainer.get();
  CHECK(refusal(chainrule_trainer_get_plateau(trainer, &plateau)) ==
        "ARGUMENT: the trainer has no reduce_on_plateau schedule");
  REQUIRE(chainrule_trainer_set_optimizer(trainer, kSgd, kPlateau) == CHAINRULE_OK);
  REQUIRE(chainrule_trainer_set_monitor(trainer, "score", 1) == CHAINRULE_OK);
  const char* monitor = nullptr;
  std::int64_t rises = 0;
  REQUIRE(chainrule_trainer_get_monitor(trainer, &monitor, &rises) == CHAINRULE_OK);
  CHECK(std::string(monitor) == "score");
  CHECK(rises == 1);
  t.options.epochs = 3;
  t.options.monitored = [](void* c, const char*) {
    training(c).rates.push_back(0);
    return training(c).rates.size() == 1 ? 5.0 : 4.0;  // falls, where greater is better
  };
  CHECK(t.fit() == "none");
  CHECK(t.last.learning_rate == 0.025);
  REQUIRE(chainrule_trainer_get_plateau(trainer, &plateau) == CHAINRULE_OK);
  CHECK(plateau.rate == 0.0125);
  CHECK(plateau.best == 5.0);
  plateau.rate = 0.5;
  REQUIRE(chainrule_trainer_set_plateau(trainer, &plateau) == CHAINRULE_OK);
  t.options.epochs = 1;
  CHECK(t.fit() == "none");
  CHECK(t.last.learning_rate == 0.5);

  const auto refused = [&](const auto& change) {
    chainrule_plateau wrong = plateau;
    change(wrong);
    return refusal(chainrule_trainer_set_plateau(trainer, &wrong));
  };
  CHECK(refused([](chainrule_plateau& p) { p.rate = -1; }) ==
        "ARGUMENT: plateau.rate is -1.000000, expected 0 or more");
  CHECK(refused([](chainrule_plateau& p) { p.best = std::nan(""); }) ==
        "ARGUMENT: plateau.best is NaN, expected a number");
  CHECK(refused([](chainrule_plateau& p) { p.cooldown_left = -2; }) ==
        "ARGUMENT: plateau.cooldown_left is -2, expected 0 or more");
  CHECK(refused([](chainrule_plateau& p) { p.struct_size = 1; }).find("struct_size is 1") !=
        std::string::npos);
  CHECK(refusal(chainrule_trainer_set_plateau(trainer, nullptr)) == "ARGUMENT: plateau is NULL");
  CHECK(chainrule_trainer_set_optimizer(trainer, kSgd, nullptr) == CHAINRULE_OK);
  CHECK(chainrule_trainer_set_plateau(trainer, &plateau) == CHAINRULE_ERROR_ARGUMENT);
}

TEST_CASE("C: losses are set between epochs and refused within one") {
  Training t;
  t.options.epochs = 2;
  t.options.on_batch = [](void* c, const chainrule_batch_report*) {
    training(c).answer =
        refusal(chainrule_trainer_set_losses(training(c).trainer.get(), "mae", nullptr));
    return 0;
  };
  t.options.on_epoch = [](void* c, const chainrule_epoch_report* report) {
    const double weight = 0.5;
    if (report->epoch == 1)
      CHECK(chainrule_trainer_set_losses(training(c).trainer.get(), "mae", &weight) ==
            CHAINRULE_OK);
    return 0;
  };
  CHECK(t.fit() == "none");
  CHECK(t.answer == "STATE: the losses cannot be set within an epoch");
  Same same;
  FitOptions o;
  o.epochs = 2;
  o.on_epoch = [&](const EpochReport&) {
    const std::vector<Loss> losses{Loss::defaults(Loss::Kind::mae)};
    const std::vector<double> weights{0.5};
    same.trainer.set_losses({losses, weights});
    return false;
  };
  same.fit(o);
  CHECK(t.weights() == same.weights());
  const char* text = nullptr;
  REQUIRE(chainrule_trainer_get_losses(t.trainer.get(), &text) == CHAINRULE_OK);
  CHECK(Loss::from_config(config_from_json(text)) == Loss::defaults(Loss::Kind::mae));
  double weight = 0;
  REQUIRE(chainrule_trainer_get_loss_weights(t.trainer.get(), &weight, 1) == CHAINRULE_OK);
  CHECK(weight == 0.5);
  CHECK(refusal(chainrule_trainer_get_loss_weights(t.trainer.get(), &weight, 2)) ==
        "ARGUMENT: count is 2; the trainer has 1 losses");
  CHECK(refusal(chainrule_trainer_get_loss_weights(t.trainer.get(), nullptr, 1)) ==
        "ARGUMENT: loss_weights is NULL");
  CHECK(refusal(chainrule_trainer_set_losses(t.trainer.get(), "[\"mse\", \"mse\"]", nullptr)) !=
        "none");
  CHECK(refusal(chainrule_trainer_set_losses(t.trainer.get(), "msee", nullptr))
            .find("did you mean 'mse'") != std::string::npos);
  const double negative = -1.0;
  CHECK(refusal(chainrule_trainer_set_losses(t.trainer.get(), "mse", &negative)) != "none");
  REQUIRE(chainrule_trainer_get_losses(t.trainer.get(), &text) == CHAINRULE_OK);
  CHECK(Loss::from_config(config_from_json(text)) == Loss::defaults(Loss::Kind::mae));
}

TEST_CASE("C: what a trainer has been set to is asked for, also from within") {
  Training t;
  chainrule_trainer* const trainer = t.trainer.get();
  const char* text = "untouched";
  REQUIRE(chainrule_trainer_get_schedule(trainer, &text) == CHAINRULE_OK);
  CHECK(text == nullptr);
  REQUIRE(chainrule_trainer_get_optimizer(trainer, &text) == CHAINRULE_OK);
  CHECK(Optimizer::from_config(config_from_json(text)) == optimizer(Optimizer::Kind::sgd, 0.05));
  t.options.on_batch = [](void* c, const chainrule_batch_report* report) {
    auto& own = training(c);
    if (report->batch == 2)
      CHECK(chainrule_trainer_set_optimizer(own.trainer.get(), "adam", kPlateau) == CHAINRULE_OK);
    std::int64_t origin = -1;
    CHECK(chainrule_trainer_get_schedule_origin(own.trainer.get(), &origin) == CHAINRULE_OK);
    own.events += std::to_string(origin) + " ";
    return 0;
  };
  CHECK(t.fit() == "none");
  CHECK(t.events == "0 2 2 2 ");
  REQUIRE(chainrule_trainer_get_optimizer(trainer, &text) == CHAINRULE_OK);
  CHECK(Optimizer::from_config(config_from_json(text)) == Optimizer(Adam{}));
  REQUIRE(chainrule_trainer_get_schedule(trainer, &text) == CHAINRULE_OK);
  CHECK(Schedule::from_config(config_from_json(text)) ==
        Schedule::from_config(config_from_json(kPlateau)));
  CHECK(chainrule_trainer_set_schedule_origin(trainer, 3) == CHAINRULE_OK);
  std::int64_t origin = -1;
  REQUIRE(chainrule_trainer_get_schedule_origin(trainer, &origin) == CHAINRULE_OK);
  CHECK(origin == 3);
  CHECK(refusal(chainrule_trainer_set_schedule_origin(trainer, 5)) ==
        "ARGUMENT: the schedule's origin must lie in 0..4, got 5");
}

TEST_CASE("C: null pointers, trainers that have been destroyed and older structures") {
  Training t;
  chainrule_trainer* const trainer = t.trainer.get();
  CHECK(refusal(chainrule_trainer_set_losses(trainer, nullptr, nullptr)) ==
        "ARGUMENT: loss is NULL");
  CHECK(refusal(chainrule_trainer_set_monitor(trainer, nullptr, 0)) == "ARGUMENT: monitor is NULL");
  for (const auto get : {chainrule_trainer_get_losses, chainrule_trainer_get_optimizer,
                         chainrule_trainer_get_schedule})
    CHECK(refusal(get(trainer, nullptr)) == "ARGUMENT: the result's pointer is NULL");
  CHECK(refusal(chainrule_trainer_get_monitor(trainer, nullptr, nullptr)) ==
        "ARGUMENT: the result's pointer is NULL");
  CHECK(refusal(chainrule_trainer_get_schedule_origin(trainer, nullptr)) ==
        "ARGUMENT: the result's pointer is NULL");
  CHECK(refusal(chainrule_trainer_get_early_stopping(trainer, nullptr)) ==
        "ARGUMENT: info is NULL");
  CHECK(refusal(chainrule_trainer_get_plateau(trainer, nullptr)) == "ARGUMENT: plateau is NULL");
  chainrule_early_stopping_info info{};
  CHECK(refusal(chainrule_trainer_get_early_stopping(trainer, &info)).find("struct_size is 0") !=
        std::string::npos);

  // What a program that was compiled with an older header gives ends before the events.
  struct {
    chainrule_fit_options options;
    std::int64_t behind;
  } older{t.options, 0};
  older.options.struct_size = offsetof(chainrule_fit_options, on_begin);
  older.options.on_begin = [](void*) { return 1; };  // belongs to something else there
  t.last.struct_size = sizeof t.last;
  CHECK(chainrule_trainer_fit(trainer, &t.rows, &t.targets, &older.options, &t.last) ==
        CHAINRULE_OK);
  CHECK(t.last.epoch == 1);

  CHECK(chainrule_trainer_destroy(t.trainer.release()) == CHAINRULE_OK);
  const char* text = nullptr;
  std::int64_t step = 0;
  chainrule_plateau plateau{};
  plateau.struct_size = sizeof plateau;
  info.struct_size = sizeof info;
  const std::string destroyed = "ARGUMENT: the trainer has been destroyed";
  CHECK(refusal(chainrule_trainer_get_losses(trainer, &text)) == destroyed);
  CHECK(refusal(chainrule_trainer_get_optimizer(trainer, &text)) == destroyed);
  CHECK(refusal(chainrule_trainer_get_schedule(trainer, &text)) == destroyed);
  CHECK(refusal(chainrule_trainer_get_monitor(trainer, &text, nullptr)) == destroyed);
  CHECK(refusal(chainrule_trainer_get_plateau(trainer, &plateau)) == destroyed);
  CHECK(refusal(chainrule_trainer_get_early_stopping(trainer, &info)) == destroyed);
  CHECK(refusal(chainrule_trainer_get_schedule_origin(trainer, &step)) == destroyed);
  CHECK(refusal(chainrule_trainer_set_losses(trainer, "mse", nullptr)) == destroyed);
  CHECK(refusal(chainrule_trainer_set_plateau(trainer, &plateau)) == destroyed);
  CHECK(refusal(chainrule_trainer_set_monitor(trainer, "loss", 0)) == destroyed);
  CHECK(refusal(chainrule_trainer_set_schedule_origin(trainer, 0)) == destroyed);
}

TEST_CASE("C: an optimizer that is set after a batch or an epoch makes the next steps") {
  const std::vector<float> x{1, 2, 3, 4, 5, 6, 7, 8, 2, 1, 0, -1}, y{0.5f, -0.5f, 1, -1, 0, 1};
  const chainrule_rows rows = c_rows(x, 4);
  const chainrule_rows values = c_rows(y, 2);
  const chainrule_targets wanted = c_targets(&values);
  const auto weights = [](const CNetwork& network) {
    std::vector<float> w(12);
    REQUIRE(chainrule_network_get_parameter(network.get(), "0.weight", w.data(), 48) ==
            CHAINRULE_OK);
    return w;
  };
  chainrule_fit_options options{};
  options.struct_size = sizeof options;
  options.epochs = 2;
  options.batch_size = 1;
  const CNetwork network = c_network();
  const CTrainer trainer = c_trainer(network);
  options.context = trainer.get();
  options.on_batch = [](void* context, const chainrule_batch_report* report) -> int {
    auto* const own = static_cast<chainrule_trainer*>(context);
    const char* const other = R"({"kind": "sgd", "learning_rate": 0.001})";
    if (report->epoch != 1 || report->batch != 2) return 0;
    return static_cast<int>(chainrule_trainer_set_optimizer(own, other, nullptr));
  };
  chainrule_epoch_report last{};
  last.struct_size = sizeof last;
  REQUIRE(chainrule_trainer_fit(trainer.get(), &rows, &wanted, &options, &last) == CHAINRULE_OK);
  CHECK(last.epoch == 2);
  CHECK(last.learning_rate == 0.001);

  // The same by a training that stops after the second batch and goes on with another trainer.
  const CNetwork halved = c_network();
  const CTrainer first = c_trainer(halved);
  chainrule_batch_report batch{};
  chainrule_fit_options part = options;
  part.context = &batch;
  part.on_batch = [](void* context, const chainrule_batch_report* report) -> int {
    *static_cast<chainrule_batch_report*>(context) = *report;
    return report->batch == 2;
  };
  REQUIRE(chainrule_trainer_fit(first.get(), &rows, &wanted, &part, nullptr) == CHAINRULE_OK);
  REQUIRE(chainrule_trainer_set_optimizer(first.get(), R"({"kind": "sgd", "learning_rate": 0.001})",
                                          nullptr) == CHAINRULE_OK);
  part.on_batch = nullptr;
  part.first_batch = 2;
  part.batch_before = &batch;
  REQUIRE(chainrule_trainer_fit(first.get(), &rows, &wanted, &part, nullptr) == CHAINRULE_OK);
  CHECK(weights(network) == weights(halved));
  CHECK(chainrule_trainer_set_optimizer(trainer.get(), nullptr, nullptr) ==
        CHAINRULE_ERROR_ARGUMENT);
  CHECK(chainrule_trainer_set_optimizer(trainer.get(), "adm", nullptr) == CHAINRULE_ERROR_ARGUMENT);
}
