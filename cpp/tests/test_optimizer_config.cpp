// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/optimizer.hpp"

using namespace chainrule;
using Names = std::vector<std::string>;

namespace {

Optimizer make(const std::string& kind, std::vector<ConfigEntry> options = {}) {
  return Optimizer::from_config({kind, std::move(options)});
}

}  // namespace

TEST_CASE("optimizers survive the way to a config and back") {
  CHECK(Optimizer::kinds() == Names{"sgd", "adagrad", "rmsprop", "adam", "adamw", "adadelta",
                                    "lion", "nadam", "radam", "lamb"});
  for (const std::string& kind : Optimizer::kinds()) {
    CAPTURE(kind);
    const Optimizer optimizer = make(kind, {{"learning_rate", 0.125}, {"clip_norm", 2.0}});
    CHECK(optimizer.learning_rate() == 0.125);
    CHECK(optimizer.clip_norm == 2.0);
    CHECK(optimizer.config().kind == kind);
    CHECK(Optimizer::from_config(optimizer.config()) == optimizer);
    CHECK(Optimizer::defaults(optimizer.kind()) == make(kind));
  }
}

TEST_CASE("defaults are those of torch.optim") {
  const auto learning_rate = [](const char* kind) { return make(kind).learning_rate(); };
  CHECK(learning_rate("sgd") == 0.01);
  CHECK(learning_rate("adagrad") == 0.01);
  CHECK(learning_rate("rmsprop") == 0.01);
  CHECK(learning_rate("adam") == 0.001);
  CHECK(learning_rate("adamw") == 0.001);
  CHECK(learning_rate("adadelta") == 1.0);
  CHECK(learning_rate("lion") == 1e-4);
  CHECK(learning_rate("nadam") == 0.002);
  CHECK(learning_rate("lamb") == 0.001);
  CHECK(learning_rate("radam") == 0.001);

  for (const std::string& kind : Optimizer::kinds()) {
    CAPTURE(kind);
    CHECK(make(kind).weight_decay() == (kind == "adamw" ? 0.01 : 0.0));
    CHECK(make(kind).clip_value == 0.0);
    CHECK(make(kind).clip_norm == 0.0);
  }
  CHECK(make("adagrad").get<AdaGrad>().epsilon == 1e-10);
  CHECK(make("rmsprop").get<RmsProp>().epsilon == 1e-8);
  CHECK(make("adam").get<Adam>().epsilon == 1e-8);
  CHECK(make("adamw").get<AdamW>().epsilon == 1e-8);
  CHECK(make("adadelta").get<Adadelta>().epsilon == 1e-6);
  CHECK(make("rmsprop").get<RmsProp>().rho == 0.99);
  CHECK(make("adadelta").get<Adadelta>().rho == 0.9);
  CHECK(make("adam").get<Adam>().beta1 == 0.9);
  CHECK(make("adam").get<Adam>().beta2 == 0.999);
  CHECK(make("lion").get<Lion>().beta1 == 0.9);
  CHECK(make("lion").get<Lion>().beta2 == 0.99);
  CHECK(!make("adam").get<Adam>().amsgrad);
}

TEST_CASE("slots have the names of torch.optim's state") {
  CHECK(make("sgd").slots().empty());
  CHECK(make("sgd", {{"momentum", 0.9}}).slots() == Names{"momentum_buffer"});
  CHECK(make("adagrad").slots() == Names{"sum"});
  CHECK(make("rmsprop").slots() == Names{"square_avg"});
  CHECK(make("rmsprop", {{"momentum", 0.9}, {"centered", true}}).slots() ==
        Names{"square_avg", "momentum_buffer", "grad_avg"});
  CHECK(make("adam").slots() == Names{"exp_avg", "exp_avg_sq"});
  CHECK(make("adamw", {{"amsgrad", true}}).slots() ==
        Names{"exp_avg", "exp_avg_sq", "max_exp_avg_sq"});
  CHECK(make("adadelta").slots() == Names{"square_avg", "acc_delta"});
  CHECK(make("lion").slots() == Names{"exp_avg"});
  CHECK(make("nadam").slots() == Names{"exp_avg", "exp_avg_sq"});
  CHECK(make("lamb").slots() == Names{"exp_avg", "exp_avg_sq"});
  CHECK(make("radam").slots() == Names{"exp_avg", "exp_avg_sq"});
}

TEST_CASE("a kind's config holds its own options and no others") {
  const auto options = [](const char* kind) {
    Names names;
    for (const ConfigEntry& entry : make(kind).config().options) names.push_back(entry.name);
    return names;
  };
  CHECK(options("sgd") == Names{"learning_rate", "momentum", "dampening", "nesterov",
                                "weight_decay", "clip_value", "clip_norm"});
  CHECK(options("adagrad") == Names{"learning_rate", "lr_decay", "initial_accumulator", "epsilon",
                                    "weight_decay", "clip_value", "clip_norm"});
  CHECK(options("rmsprop") == Names{"learning_rate", "rho", "epsilon", "momentum", "centered",
                                    "weight_decay", "clip_value", "clip_norm"});
  CHECK(options("adam") == Names{"learning_rate", "beta1", "beta2", "epsilon", "amsgrad",
                                 "weight_decay", "clip_value", "clip_norm"});
  CHECK(options("adamw") == options("adam"));
  CHECK(options("radam") == Names{"learning_rate", "beta1", "beta2", "epsilon",
                                  "decoupled_weight_decay", "weight_decay", "clip_value",
                                  "clip_norm"});
  CHECK(options("nadam") == Names{"learning_rate", "beta1", "beta2", "epsilon", "momentum_decay",
                                  "decoupled_weight_decay", "weight_decay", "clip_value",
                                  "clip_norm"});
  CHECK(options("adadelta") ==
        Names{"learning_rate", "rho", "epsilon", "weight_decay", "clip_value", "clip_norm"});
  CHECK(options("lion") ==
        Names{"learning_rate", "beta1", "beta2", "weight_decay", "clip_value", "clip_norm"});
}

TEST_CASE("a config holds lazy and epsilon_hat only where they are true") {
  const Optimizer optimizer = make("adam", {{"lazy", true}});
  CHECK(optimizer.lazy);
  CHECK(optimizer.config().options.back().name == "lazy");
  CHECK(Optimizer::from_config(optimizer.config()) == optimizer);
  CHECK(!make("adam", {{"lazy", false}}).lazy);
  CHECK(make("adam", {{"epsilon_hat", true}}).get<Adam>().epsilon_hat);
  CHECK(make("adam", {{"epsilon_hat", false}}).config() == make("adam").config());
  CHECK(make("adamw", {{"epsilon_hat", true}}).config() != make("adamw").config());
}

TEST_CASE("bad optimizers are refused by name and value") {
  CHECK_THROWS_WITH_AS(make("Adam W"),
                       "unknown optimizer 'Adam W'; did you mean 'adamw'? valid: adadelta, "
                       "adagrad, adam, adamw, lamb, lion, nadam, radam, rmsprop, sgd",
                       Error);
  CHECK_THROWS_WITH_AS(make("adam", {{"learning_rate", -0.1}}),
                       "adam: learning_rate must be > 0, got -0.1", Error);
  CHECK_THROWS_WITH_AS(make("sgd", {{"learning_rate", std::int64_t{0}}}),
                       "sgd: learning_rate must be > 0, got 0", Error);
  CHECK_THROWS_WITH_AS(make("adam", {{"beta2", 1.0}}), "adam: beta2 must be in [0, 1), got 1",
                       Error);
  CHECK_THROWS_WITH_AS(make("adam", {{"epsilon", 0.0}}), "adam: epsilon must be > 0, got 0", Error);
  CHECK_THROWS_WITH_AS(make("adam", {{"beta", 0.9}}),
                       "unknown adam option 'beta'; did you mean 'beta1'? valid: amsgrad, beta1, "
                       "beta2, clip_norm, clip_value, epsilon, epsilon_hat, lazy, "
                       "learning_rate, weight_decay, weight_decay_schedule",
                       Error);
  CHECK_THROWS_WITH_AS(make("adam", {{"momentum", 0.9}}),
                       doctest::Contains("unknown adam option 'momentum'; valid: "), Error);
  CHECK_THROWS_WITH_AS(make("sgd", {{"clip_norm", -1.0}}), "sgd: clip_norm must be >= 0, got -1",
                       Error);
  CHECK_THROWS_WITH_AS(
      make("sgd", {{"nesterov", true}}),
      "sgd: nesterov needs momentum > 0 and dampening 0, got momentum 0 and dampening 0", Error);
  CHECK_THROWS_WITH_AS(
      make("sgd", {{"nesterov", true}, {"momentum", 0.9}, {"dampening", 0.5}}),
      "sgd: nesterov needs momentum > 0 and dampening 0, got momentum 0.9 and dampening 0.5",
      Error);
  CHECK(make("sgd", {{"nesterov", true}, {"momentum", 0.9}}).get<Sgd>().nesterov);
  CHECK_THROWS_WITH_AS(make("adam", {{"lazy", true}, {"clip_norm", 0.5}}),
                       "adam: lazy needs clip_norm 0, which is the norm of all gradients; got 0.5",
                       Error);
  CHECK_THROWS_WITH_AS(make("lamb", {{"lazy", true}}),
                       "lamb: lazy must be false, since a step needs whole gradients", Error);
  Optimizer optimizer;
  optimizer.set_learning_rate(0.1 + 0.2 - 1.0);
  CHECK_THROWS_WITH_AS(optimizer.check(), "sgd: learning_rate must be > 0, got -0.7", Error);
}

TEST_CASE("an optimizer is made of its kind's options, which it gives back") {
  const Optimizer optimizer(AdamW{.learning_rate = 0.25, .amsgrad = true}, {.clip_norm = 2.0});
  CHECK(optimizer.kind() == OptimizerKind::adamw);
  CHECK(optimizer ==
        make("adamw", {{"learning_rate", 0.25}, {"amsgrad", true}, {"clip_norm", 2.0}}));
  CHECK(optimizer != AdamW{.learning_rate = 0.25, .amsgrad = true});
  CHECK(optimizer.get<AdamW>() == AdamW{.learning_rate = 0.25, .amsgrad = true});
  CHECK(optimizer.weight_decay() == 0.01);
  CHECK(optimizer != Adam{});
  CHECK_THROWS_WITH_AS(optimizer.get<Adam>(), "the optimizer is of kind adamw, not adam", Error);
  CHECK_THROWS_WITH_AS(Optimizer::defaults(static_cast<OptimizerKind>(99)),
                       doctest::Contains("optimizer kind must be below "), Error);
}

TEST_CASE("squares are what the slots of some kind say") {
  for (const char* name : {"sum", "square_avg", "exp_avg_sq", "max_exp_avg_sq", "acc_delta"})
    CHECK(Optimizer::keeps_squares(name));
  for (const char* name : {"exp_avg", "momentum_buffer", "grad_avg", "", "nothing"})
    CHECK_FALSE(Optimizer::keeps_squares(name));
}
