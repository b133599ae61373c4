// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/schedule.hpp"

using chainrule::ConfigEntry;
using chainrule::Error;
using chainrule::Plateau;
using chainrule::Schedule;

namespace {

Schedule make(const std::string& kind, std::vector<ConfigEntry> options) {
  return Schedule::from_config({kind, std::move(options)});
}

/// Compares the rates of steps 0, 1, 2, ... with `expected`.
void check_rates(const Schedule& schedule, std::int64_t steps_per_epoch,
                 const std::vector<double>& expected) {
  for (std::size_t step = 0; step < expected.size(); ++step) {
    CAPTURE(step);
    const double rate = schedule.rate(static_cast<std::int64_t>(step), steps_per_epoch);
    CHECK(std::abs(rate / expected[step] - 1.0) < 1e-10);
  }
}

}  // namespace

// The expected rates are what PyTorch 2.13's torch.optim.lr_scheduler gives.

TEST_CASE("step and exponential schedules equal StepLR and ExponentialLR") {
  check_rates(make("step", {{"learning_rate", 0.1}, {"gamma", 0.5}, {"period", 3.0}}), 1,
              {0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025});
  const Schedule exponential = make("exponential", {{"learning_rate", 0.1}, {"gamma", 0.8}});
  check_rates(exponential, 1, {0.1, 0.08, 0.064, 0.0512, 0.04096, 0.032768});
  for (std::int64_t epoch = 0; epoch < 5; ++epoch)
    CHECK(exponential.rate(7 * epoch, 7) == exponential.rate(epoch, 1));
  CHECK(exponential.rate(1, 2) == doctest::Approx(0.1 * std::sqrt(0.8)).epsilon(1e-15));
}

TEST_CASE("a period that is a whole number of steps ends on that step") {
  const Schedule schedule = make("step", {{"learning_rate", 1.0}, {"gamma", 0.5}, {"period", 0.1}});
  for (std::int64_t step = 0; step < 20; ++step)
    CHECK(schedule.rate(step, 10) == std::pow(0.5, static_cast<double>(step)));
}

TEST_CASE("cosine schedules equal CosineAnnealingLR and stay at the minimum") {
  check_rates(make("cosine", {{"learning_rate", 0.1}, {"epochs", 8.0}, {"minimum", 0.01}}), 1,
              {0.1, 0.0965745789630079, 0.08681980515339463, 0.07222075445642905, 0.055,
               0.03777924554357096, 0.023180194846605363, 0.013425421036992097, 0.01, 0.01, 0.01});
}

TEST_CASE("cosine schedules with restarts equal CosineAnnealingWarmRestarts") {
  check_rates(
      make("cosine",
           {{"learning_rate", 0.1}, {"epochs", 3.0}, {"minimum", 0.01}, {"restart_factor", 2.0}}),
      1,
      {0.1, 0.0775, 0.0325, 0.1, 0.09397114317029975, 0.0775, 0.055, 0.0325, 0.01602885682970026,
       0.1, 0.09846666218300808, 0.09397114317029975});
  // Half an epoch of eight steps is a cycle of four steps.
  check_rates(make("cosine", {{"learning_rate", 0.1}, {"epochs", 0.5}, {"restart_factor", 1.0}}), 8,
              {0.1, 0.08535533905932738, 0.05, 0.014644660940672627, 0.1, 0.08535533905932738, 0.05,
               0.014644660940672627, 0.1, 0.08535533905932738});
}

TEST_CASE("cosine warm-up equals LinearLR from 1 / 4 over 3 steps before CosineAnnealingLR") {
  check_rates(
      make("cosine", {{"learning_rate", 0.1}, {"epochs", 6.0}, {"warmup", 3.0}, {"minimum", 0.01}}),
      1,
      {0.025, 0.05, 0.075, 0.1, 0.09397114317029975, 0.0775, 0.055, 0.0325, 0.01602885682970026,
       0.01});
}

TEST_CASE("one_cycle schedules equal OneCycleLR without momentum cycling") {
  check_rates(make("one_cycle", {{"learning_rate", 0.5}, {"epochs", 4.0}}), 5,
              {0.02,
               0.06583592135001265,
               0.18583592135001265,
               0.3341640786499874,
               0.45416407864998737,
               0.5,
               0.49373200311754367,
               0.47524231600673683,
               0.445458088785525,
               0.40587282697488153,
               0.3584715008956504,
               0.30563101096814466,
               0.250001,
               0.19437098903185537,
               0.14153049910434962,
               0.09412917302511849,
               0.05454391121447502,
               0.024759683993263143,
               0.006269996882456277,
               2e-06,
               2e-06});
  check_rates(make("one_cycle", {{"learning_rate", 0.5},
                                 {"epochs", 1.0},
                                 {"warmup", 0.25},
                                 {"div_factor", 10.0},
                                 {"final_div_factor", 100.0}}),
              7,
              {0.05, 0.49721049884972585, 0.4333297049894991, 0.3058246032555895,
               0.15900607916449283, 0.04389686611458033, 0.0005});
  check_rates(make("one_cycle", {{"learning_rate", 0.5}, {"epochs", 4.0}, {"warmup", 0.0}}), 1,
              {0.42677698818985565, 0.250001, 0.07322501181014432, 2e-06});
}

TEST_CASE("inverse_time, piecewise and constant schedules follow their formulas") {
  check_rates(make("inverse_time", {{"learning_rate", 0.1}, {"gamma", 0.5}, {"period", 2.0}}), 2,
              {0.1, 0.1 / 1.125, 0.1 / 1.25, 0.1 / 1.375, 0.1 / 1.5});
  check_rates(make("piecewise",
                   {{"boundaries", std::vector{1.0, 1.5}}, {"values", std::vector{0.3, 0.2, 0.1}}}),
              4, {0.3, 0.3, 0.3, 0.3, 0.2, 0.2, 0.1, 0.1, 0.1});
  check_rates(make("constant", {{"learning_rate", 0.7}}), 3, {0.7, 0.7, 0.7, 0.7, 0.7});
  check_rates(make("reduce_on_plateau", {{"learning_rate", 0.7}}), 3, {0.7, 0.7, 0.7, 0.7, 0.7});
}

TEST_CASE("rates are finite and positive whatever the lengths") {
  for (const double epochs : {1e-300, 1e-9, 0.3, 1.0, 2.7, 1e9})
    for (const double warmup : {0.0, 0.3, 1.0})
      for (const double factor : {0.0, 1.0, 1.5}) {
        CAPTURE(epochs);
        CAPTURE(warmup);
        CAPTURE(factor);
        const Schedule cosine =
            make("cosine", {{"epochs", epochs}, {"warmup", warmup}, {"restart_factor", factor}});
        const Schedule cycle = make("one_cycle", {{"epochs", epochs}, {"warmup", warmup}});
        for (const std::int64_t step : {0, 1, 2, 5, 1000}) {
          CHECK(cosine.rate(step, 3) >= 0.0);
          CHECK(cosine.rate(step, 3) <= cosine.learning_rate);
          CHECK(cycle.rate(step, 3) > 0.0);
          CHECK(cycle.rate(step, 3) <= cycle.learning_rate * (1.0 + 1e-15));
        }
      }
}

TEST_CASE("Plateau equals ReduceLROnPlateau") {
  const Schedule schedule = make("reduce_on_plateau", {{"learning_rate", 0.1},
                                                       {"gamma", 0.3},
                                                       {"patience", std::int64_t{1}},
                                                       {"cooldown", std::int64_t{1}},
                                                       {"minimum", 0.002},
                                                       {"threshold", 1e-3}});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> losses{1.0, 0.9, 0.89995, 0.95, 0.9, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6,
                                   0.6, 0.6, nan,     0.4,  0.4, 0.4, 0.4, 0.4, 0.4, 0.4};
  const std::vector<double> rates{0.1,   0.1,   0.1,   0.03,   0.03,   0.03,   0.03,
                                  0.009, 0.009, 0.009, 0.0027, 0.0027, 0.0027, 0.002,
                                  0.002, 0.002, 0.002, 0.002,  0.002,  0.002,  0.002};
  REQUIRE(losses.size() == rates.size());
  Plateau plateau(schedule);
  for (std::size_t epoch = 0; epoch < losses.size(); ++epoch) {
    CAPTURE(epoch);
    CHECK(plateau.observe(schedule, losses[epoch]) == doctest::Approx(rates[epoch]).epsilon(1e-15));
  }
}

TEST_CASE("waves that double, and half a cosine behind half of the epochs") {
  check_rates(make("flat_cosine", {{"learning_rate", 0.8}, {"epochs", 4.0}}), 1,
              {0.8, 0.8, 0.8, 0.4});
  const Schedule waves =
      make("coslog", {{"learning_rate", 1.0}, {"epochs", 3.0}, {"cycles", std::int64_t{2}}});
  for (const std::int64_t step : {0, 1, 3, 4}) CHECK(waves.rate(step, 1) < 1e-25);
  CHECK(waves.rate(2, 1) == doctest::Approx(0.9304309704312053).epsilon(1e-13));
}

TEST_CASE("schedules survive the way to a config and back") {
  CHECK(Schedule::kinds().size() == 10);
  for (const std::string& kind : Schedule::kinds()) {
    CAPTURE(kind);
    std::vector<ConfigEntry> needed;
    if (kind == "cosine" || kind == "one_cycle" || kind == "coslog" || kind == "flat_cosine")
      needed = {{"epochs", 5.0}};
    if (kind == "piecewise") needed = {{"values", std::vector{0.1}}};
    const Schedule schedule = make(kind, needed);
    CHECK(schedule.config().kind == kind);
    CHECK(Schedule::from_config(schedule.config()) == schedule);
  }
  CHECK(Schedule::defaults(Schedule::Kind::one_cycle).warmup == 0.3);
  CHECK(Schedule::defaults(Schedule::Kind::inverse_time).gamma == 1.0);
}

TEST_CASE("bad schedules are refused by name and value") {
  const std::vector<double> two{0.1, 0.2}, three{0.1, 0.2, 0.3};
  CHECK_THROWS_WITH_AS(make("cosin", {}),
                       "unknown schedule 'cosin'; did you mean 'cosine'? valid: constant, cosine, "
                       "coslog, exponential, flat_cosine, inverse_time, one_cycle, piecewise, "
                       "reduce_on_plateau, step",
                       Error);
  CHECK_THROWS_WITH_AS(make("cosine", {}), "cosine: epochs is missing; it must be > 0", Error);
  CHECK_THROWS_WITH_AS(make("step", {{"period", 0.0}}), "step: period must be > 0, got 0", Error);
  CHECK_THROWS_WITH_AS(make("cosine", {{"epochs", 1.0}, {"restart_factor", 0.5}}),
                       "cosine: restart_factor must be 0 or >= 1, got 0.5", Error);
  CHECK_THROWS_WITH_AS(make("cosine", {{"epochs", 1.0}, {"minimum", 0.5}}),
                       "cosine: minimum must be <= learning_rate, got minimum 0.5 and "
                       "learning_rate 0.01",
                       Error);
  CHECK_THROWS_WITH_AS(make("one_cycle", {{"epochs", 1.0}, {"warmup", 2.0}}),
                       "one_cycle: warmup must be in [0, 1], got 2", Error);
  CHECK_THROWS_WITH_AS(make("piecewise", {{"boundaries", two}, {"values", two}}),
                       "piecewise: values must be one more than boundaries, got 2 values and 2 "
                       "boundaries",
                       Error);
  CHECK_THROWS_WITH_AS(
      make("piecewise", {{"boundaries", std::vector{0.2, 0.2}}, {"values", three}}),
      "piecewise: boundaries must be strictly increasing, got 0.2 before 0.2", Error);
  CHECK_THROWS_WITH_AS(make("piecewise", {{"learning_rate", 0.1}, {"values", two}}),
                       "unknown piecewise option 'learning_rate'; valid: boundaries, values",
                       Error);
  CHECK_THROWS_WITH_AS(make("reduce_on_plateau", {{"gamma", 1.0}}),
                       "reduce_on_plateau: gamma must be in (0, 1), got 1", Error);
  CHECK_THROWS_WITH_AS(make("reduce_on_plateau", {{"patience", 1.5}}),
                       "reduce_on_plateau: patience must be an integer, got 1.5", Error);
  CHECK_THROWS_WITH_AS(Schedule{}.rate(-1, 1), "constant: step must be >= 0, got -1", Error);
  CHECK_THROWS_WITH_AS(Schedule{}.rate(0, 0), "constant: steps_per_epoch must be >= 1, got 0",
                       Error);
  CHECK_THROWS_AS(Schedule::defaults(Schedule::Kind::piecewise).rate(0, 1), Error);
}
