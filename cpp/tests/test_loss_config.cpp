// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/loss.hpp"

using chainrule::Config;
using chainrule::Error;
using chainrule::Loss;
using Kind = chainrule::Loss::Kind;
using Link = chainrule::Loss::Link;

namespace {

Loss quantile(std::vector<double> quantiles) {
  return Loss::from_config({"quantile", {{"quantiles", std::move(quantiles)}}});
}

}  // namespace

TEST_CASE("losses survive the way to a config and back") {
  CHECK(Loss::kinds().size() == 9);
  for (const std::string& kind : Loss::kinds()) {
    CAPTURE(kind);
    const Loss loss = Loss::from_config({kind, {}});
    CHECK(loss.config().kind == kind);
    CHECK(Loss::from_config(loss.config()) == loss);
    CHECK(Loss::defaults(loss.kind) == loss);
    CHECK(loss.takes_labels() == (kind == "cross_entropy"));
  }
  for (const Config& config :
       {Config{"huber", {{"delta", 0.5}}}, Config{"cross_entropy", {{"label_smoothing", 0.1}}},
        Config{"quantile", {{"quantiles", std::vector{0.1, 0.5, 0.9}}}}, Config{"mse", {}}})
    CHECK(Loss::from_config(config).config() == config);
  CHECK(Loss::defaults(Kind::quantile).options == Loss::Options{Loss::Quantile{{0.5}}});
  CHECK_THROWS_WITH_AS((Loss{Kind::huber, Loss::Poisson{}}.check()),
                       "huber: its options are those of another loss", Error);
}

TEST_CASE("each loss names the link of its outputs") {
  CHECK(Loss::defaults(Kind::cross_entropy).link() == Link::softmax);
  CHECK(Loss::defaults(Kind::binary_cross_entropy).link() == Link::sigmoid);
  CHECK(Loss::defaults(Kind::poisson).link() == Link::exponential);
  for (const Kind kind :
       {Kind::mse, Kind::mae, Kind::huber, Kind::log_cosh, Kind::hinge, Kind::quantile})
    CHECK(Loss::defaults(kind).link() == Link::identity);
}

TEST_CASE("target_columns follows the outputs, one group per quantile") {
  CHECK(Loss{}.target_columns(4) == 4);
  CHECK(Loss::defaults(Kind::cross_entropy).target_columns(10) == 10);
  CHECK(quantile({0.1, 0.5, 0.9}).target_columns(6) == 2);
  CHECK_THROWS_WITH_AS(
      quantile({0.1, 0.9}).target_columns(5),
      "quantile: the number of outputs must be a multiple of the 2 quantiles, got 5", Error);
  CHECK_THROWS_WITH_AS(
      Loss::defaults(Kind::cross_entropy).target_columns(1),
      "cross_entropy: needs at least 2 outputs, one per class, got 1; use binary_cross_entropy",
      Error);
  CHECK_THROWS_WITH_AS(Loss{}.target_columns(0), "mse: outputs must be >= 1, got 0", Error);
}

TEST_CASE("bad losses are refused by name and value") {
  CHECK_THROWS_WITH_AS(Loss::from_config({"crossentropy", {}}),
                       "unknown loss 'crossentropy'; did you mean 'cross_entropy'? valid: "
                       "binary_cross_entropy, cross_entropy, hinge, huber, log_cosh, mae, mse, "
                       "poisson, quantile",
                       Error);
  CHECK_THROWS_WITH_AS(Loss::from_config({"huber", {{"delta", 0.0}}}),
                       "huber: delta must be > 0, got 0", Error);
  CHECK_THROWS_WITH_AS(Loss::from_config({"cross_entropy", {{"label_smoothing", 1.0}}}),
                       "cross_entropy: label_smoothing must be in [0, 1), got 1", Error);
  CHECK_THROWS_WITH_AS(Loss::from_config({"mse", {{"delta", 1.0}}}),
                       "unknown mse option 'delta'; valid: none", Error);
  CHECK_THROWS_WITH_AS(quantile({}), "quantile: quantiles must hold at least one number, got none",
                       Error);
  CHECK_THROWS_WITH_AS(quantile({0.5, 1.0}), "quantile: quantiles[1] must be in (0, 1), got 1",
                       Error);
  CHECK_THROWS_WITH_AS(quantile({0.5, 0.25}),
                       "quantile: quantiles must be strictly increasing, got 0.5 before 0.25",
                       Error);
  CHECK_THROWS_WITH_AS(quantile({0.5, 0.5}),
                       "quantile: quantiles must be strictly increasing, got 0.5 before 0.5",
                       Error);
  CHECK_THROWS_WITH_AS(Loss::from_config({"quantile", {{"quantiles", 0.5}}}),
                       "quantile: quantiles must be a list of numbers, got 0.5", Error);
  CHECK_THROWS_WITH_AS(Loss::from_config({"huber", {{"delta", std::vector{1.0, 2.0}}}}),
                       "huber: delta must be a number, got a list of 2 numbers", Error);
  CHECK_THROWS_WITH_AS(Loss::from_config({"huber", {{"delta", Config{"relu", {}}}}}),
                       "huber: delta must be a number, got the description 'relu'", Error);
}
