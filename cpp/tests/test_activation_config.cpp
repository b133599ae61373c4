// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "chainrule/activation.hpp"
#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/names.hpp"

using chainrule::Activation;
using chainrule::Config;
using chainrule::Error;
using Kind = chainrule::Activation::Kind;

TEST_CASE("activations survive the way to a config and back") {
  CHECK(Activation::kinds().size() == 17);
  for (const std::string& kind : Activation::kinds()) {
    CAPTURE(kind);
    const Activation activation = Activation::from_config({kind, {}});
    CHECK(activation.config().kind == kind);
    CHECK(Activation::from_config(activation.config()) == activation);
    CHECK(Activation::defaults(activation.kind) == activation);
  }
}

TEST_CASE("activations have the options of their kind") {
  CHECK(Activation::from_config({"leaky_relu", {}}) ==
        Activation{Kind::leaky_relu, Activation::LeakyRelu{0.01}});
  CHECK(Activation::from_config({"elu", {}}) == Activation{Kind::elu, Activation::Elu{1.0}});
  const Config leaky{"leaky_relu", {{"negative_slope", 0.2}}};
  CHECK(Activation::from_config(leaky) == Activation{Kind::leaky_relu, Activation::LeakyRelu{0.2}});
  CHECK(Activation::from_config(leaky).config() == leaky);
  CHECK(Activation::from_config({"elu", {{"alpha", std::int64_t{2}}}}) ==
        Activation{Kind::elu, Activation::Elu{2.0}});
  const Config hard{"hard_sigmoid", {{"alpha", 0.2}, {"beta", 0.25}}};
  CHECK(Activation::from_config(hard) ==
        Activation{Kind::hard_sigmoid, Activation::HardSigmoid{0.2, 0.25}});
  CHECK(Activation::from_config(hard).config() == hard);
  CHECK_THROWS_WITH_AS(Activation::from_config({"hard_sigmoid", {{"alpha", 0.0}}}),
                       "hard_sigmoid: alpha must be > 0, got 0", Error);
  CHECK(Activation{}.config() == Config{"linear", {}});
}

TEST_CASE("gelu's approximation chooses the kind") {
  const auto gelu = [](const char* approximate) {
    return Activation::from_config({"gelu", {{"approximate", std::string(approximate)}}}).kind;
  };
  CHECK(gelu("none") == Kind::gelu);
  CHECK(gelu("tanh") == Kind::gelu_tanh);
  CHECK_THROWS_WITH_AS(gelu("tanhh"),
                       "unknown gelu approximate 'tanhh'; did you mean 'tanh'? valid: none, tanh",
                       Error);
  CHECK_THROWS_WITH_AS(Activation::from_config({"gelu", {{"approximate", true}}}),
                       "gelu: approximate must be a name, got true", Error);
}

TEST_CASE("bad activations are refused by name and value") {
  CHECK_THROWS_WITH_AS(
      Activation::from_config({"rellu", {}}),
      "unknown activation 'rellu'; did you mean 'relu'? valid: elu, gelu, gelu_tanh, "
      "hard_sigmoid, hard_swish, leaky_relu, linear, mish, relu, relu6, selu, sigmoid, silu, "
      "softmax, softplus, softsign, tanh",
      Error);
  CHECK_THROWS_WITH_AS(Activation::from_config({"leaky_relu", {{"negative_slop", 0.1}}}),
                       "unknown leaky_relu option 'negative_slop'; did you mean 'negative_slope'? "
                       "valid: negative_slope",
                       Error);
  CHECK_THROWS_WITH_AS(Activation::from_config({"leaky_relu", {{"negative_slope", -0.5}}}),
                       "leaky_relu: negative_slope must be >= 0, got -0.5", Error);
  CHECK_THROWS_WITH_AS(
      Activation::from_config({"elu", {{"alpha", std::numeric_limits<double>::quiet_NaN()}}}),
      "elu: alpha must be finite and >= 0, got nan", Error);
  CHECK_THROWS_WITH_AS(Activation::from_config({"elu", {{"alpha", std::string("big")}}}),
                       "elu: alpha must be a number, got 'big'", Error);
  CHECK_THROWS_WITH_AS(Activation::from_config({"elu", {{"alpha", true}}}),
                       "elu: alpha must be a number, got true", Error);
  CHECK_THROWS_WITH_AS(Activation::from_config({"elu", {{"alpha", 1.0}, {"alpha", 2.0}}}),
                       "elu: alpha is given twice", Error);
  CHECK_THROWS_WITH_AS((Activation{Kind::elu, Activation::Elu{-1.0}}.check()),
                       "elu: alpha must be >= 0, got -1", Error);
  CHECK_THROWS_WITH_AS((Activation{static_cast<Kind>(99)}.config()),
                       "activation kind must be below 17, got 99", Error);
  CHECK_THROWS_WITH_AS((Activation{Kind::elu, Activation::LeakyRelu{}}.check()),
                       "elu: its options are those of another activation", Error);
}

TEST_CASE("the nearest name is suggested only when one is near") {
  using chainrule::nearest_name;
  CHECK(nearest_name("ReLU", {"elu", "relu"}) == "relu");
  CHECK(nearest_name("leaky-relu", {"relu", "leaky_relu"}) == "leaky_relu");
  CHECK(nearest_name("slef", {"self", "shelf"}) == "self");
  CHECK(nearest_name("crossentropy", {"mse", "cross_entropy"}) == "cross_entropy");
  CHECK(nearest_name("swish", {"relu", "tanh"}).empty());
  CHECK(nearest_name("adamax", {"adam", "adamw"}).empty());
  CHECK(nearest_name("SELU", {"elu", "relu"}).empty());
  CHECK(nearest_name("", {"relu"}).empty());
  CHECK(nearest_name(std::string(100000, 'x'), {"relu"}).empty());
  CHECK(chainrule::unknown_name("colour", "xyzzy", {"red", "blue"}) ==
        "unknown colour 'xyzzy'; valid: blue, red");
}
