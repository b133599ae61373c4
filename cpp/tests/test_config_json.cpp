// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/optimizer.hpp"
#include "networks.hpp"

using namespace chainrule;
using namespace chainrule::testing;

TEST_CASE("a description is read from JSON or from its kind's name") {
  CHECK(config_from_json("adam") == Config{"adam", {}});
  CHECK(config_from_json("\"adam\"") == Config{"adam", {}});
  CHECK(config_from_json(R"( {"kind": "adam", "learning_rate": 0.25, "amsgrad": true} )") ==
        Config{"adam", {{"learning_rate", 0.25}, {"amsgrad", true}}});
  const std::vector<Config> layers =
      configs_from_json(R"(["normalization", {"kind": "dense", "units": 3}])");
  REQUIRE(layers.size() == 2);
  CHECK(layers[0] == Config{"normalization", {}});
  CHECK(layers[1] == Config{"dense", {{"units", std::int64_t{3}}}});
  CHECK(configs_from_json("[]").empty());
}

TEST_CASE("what is no description is refused") {
  for (const std::string text : {"", "adam sgd", "{", "[]", "3.5", "{\"rate\": 1}",
                                 "{\"kind\": \"adam\", \"kind\": \"sgd\"}", "\xff"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(config_from_json(text), Error);
  }
  for (const std::string text :
       {"", "adam", "{\"kind\": \"dense\"}", "[3]", "[null]", "[\"dense\""}) {
    CAPTURE(text);
    CHECK_THROWS_AS(configs_from_json(text), Error);
  }
}

TEST_CASE("every description comes back from its JSON") {
  std::vector<Config> all;
  for (const auto& layer : odd_layers()) all.push_back(layer->config());
  for (const Optimizer& rule : optimizers()) all.push_back(rule.config());
  for (const Config& config : all) CHECK(config_from_json(to_json(config)) == config);
  CHECK(configs_from_json(to_json(all)) == all);
}
