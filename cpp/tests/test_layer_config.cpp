// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/graph.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/merge_layers.hpp"
#include "chainrule/recurrent_layers.hpp"
#include "chainrule/shape_layers.hpp"

using namespace chainrule;

namespace {

AnyLayer layer(const std::string& kind, std::vector<ConfigEntry> options = {}) {
  return Layer::from_config({kind, std::move(options)});
}

const Initializer zeros;
const Initializer ones{Initializer::Kind::constant, Initializer::Constant{1.0}};

void check_vector(const ParameterSpec& spec, const char* name, std::int64_t columns,
                  const Initializer& initializer, bool trainable) {
  CAPTURE(name);
  CHECK(spec.name == name);
  CHECK(spec.shape.rank() == 1);
  CHECK(spec.shape == columns);
  CHECK(spec.initializer == initializer);
  CHECK(spec.trainable == trainable);
  CHECK(spec.l1 == 0.0);
  CHECK(spec.l2 == 0.0);
}

}  // namespace

TEST_CASE("a dense layer has a weight matrix and a bias") {
  Dense dense(3, Activation::defaults(Activation::Kind::relu));
  dense.l1 = 0.1;
  dense.l2 = 0.2;
  CHECK(dense.output_shape({5}) == 3);
  const auto specs = dense.parameters({5});
  REQUIRE(specs.size() == 2);
  CHECK(specs[0].name == "weight");
  CHECK(specs[0].shape == Shape{5, 3});
  CHECK(specs[0].initializer.kind == Initializer::Kind::he_uniform);
  CHECK(specs[0].trainable);
  CHECK(specs[0].l1 == 0.1);
  CHECK(specs[0].l2 == 0.2);
  check_vector(specs[1], "bias", 3, zeros, true);

  SUBCASE("without bias") {
    dense.use_bias = false;
    CHECK(dense.parameters({5}).size() == 1);
  }
  SUBCASE("with initializers of its own") {
    dense.weight_initializer = Initializer::defaults(Initializer::Kind::orthogonal);
    dense.bias_initializer = ones;
    CHECK(dense.parameters({5})[0].initializer.kind == Initializer::Kind::orthogonal);
    CHECK(dense.parameters({5})[1].initializer == ones);
  }
}

TEST_CASE("a dense layer survives the way to a config and back") {
  const Config plain = Dense(7).config();
  CHECK(plain == Config{"dense",
                        {{"units", std::int64_t{7}},
                         {"activation", Config{"linear", {}}},
                         {"use_bias", true},
                         {"bias_initializer", Config{"zeros", {}}},
                         {"l1", 0.0},
                         {"l2", 0.0}}});
  CHECK(Layer::from_config(plain)->config() == plain);

  const Config full{"dense",
                    {{"units", std::int64_t{4}},
                     {"activation", Config{"leaky_relu", {{"negative_slope", 0.2}}}},
                     {"use_bias", false},
                     {"weight_initializer", Config{"orthogonal", {{"gain", 2.0}}}},
                     {"bias_initializer", Config{"constant", {{"value", 0.5}}}},
                     {"l1", 0.25},
                     {"l2", 0.5}}};
  CHECK(Layer::from_config(full)->config() == full);
}

TEST_CASE("a name stands for a nested description with its defaults") {
  const Dense dense = Dense::from_config({"dense",
                                          {{"units", std::int64_t{4}},
                                           {"activation", std::string("elu")},
                                           {"weight_initializer", std::string("lecun_normal")}}});
  CHECK(dense.activation == Activation{Activation::Kind::elu, Activation::Elu{1.0}});
  REQUIRE(dense.weight_initializer.has_value());
  CHECK(dense.weight_initializer->kind == Initializer::Kind::lecun_normal);
}

TEST_CASE("factors of trained arrays are a number or a table of numbers") {
  const auto specs = [](const std::string& options) {
    const Config config = config_from_json(R"({"kind": "dense", "units": 3, )" + options + "}");
    const auto made = Layer::from_config(config);
    CHECK(Layer::from_config(config_from_json(to_json(made->config())))->config() ==
          made->config());
    return made->parameters({5});
  };
  auto found = specs(R"("learning_rate_factor": 0.25, "weight_decay_factor": {"bias": 0})");
  CHECK(found[0].learning_rate_factor == 0.25);
  CHECK(found[1].learning_rate_factor == 0.25);
  CHECK(found[0].weight_decay_factor == 1.0);
  CHECK(found[1].weight_decay_factor == 0.0);
  Dense dense(3);
  CHECK(dense.parameters({5})[1].learning_rate_factor == 1.0);
  dense.learning_rate_factor = {{"weight", 2.0}};
  CHECK(dense.parameters({5})[0].learning_rate_factor == 2.0);
  CHECK(dense.parameters({5})[1].learning_rate_factor == 1.0);
  dense.learning_rate_factor = -1.0;
  CHECK_THROWS_WITH(dense.output_shape({5}), "dense: learning_rate_factor must be >= 0, got -1");
  dense.learning_rate_factor = {{"gamma", 2.0}};
  CHECK_THROWS_WITH(
      Graph::chain({dense}, 5),
      "layer 0 (dense) on (5,): dense: learning_rate_factor: unknown parameter 'gamma'; valid: "
      "bias, weight");
  CHECK_THROWS_WITH(specs(R"("learning_rate_factor": {"bias": 1, "bias": 2})"),
                    "dense: learning_rate_factor has 'bias' twice");
  CHECK_THROWS_AS(specs(R"("learning_rate_factor": {"bias": "a"})"), Error);
  CHECK_THROWS_AS(specs(R"("learning_rate_factor": [1])"), Error);
  CHECK_THROWS_AS(specs(R"("activation": {"bias": 1})"), Error);
}

TEST_CASE("normalisations list their arrays") {
  BatchNormalization batch;
  auto specs = batch.parameters({6});
  REQUIRE(specs.size() == 4);
  check_vector(specs[0], "gamma", 6, ones, true);
  check_vector(specs[1], "beta", 6, zeros, true);
  check_vector(specs[2], "running_mean", 6, zeros, false);
  check_vector(specs[3], "running_variance", 6, ones, false);
  batch.center = batch.scale = false;
  CHECK(batch.parameters({6}).size() == 2);

  LayerNormalization rows;
  specs = rows.parameters({6});
  REQUIRE(specs.size() == 2);
  check_vector(specs[0], "gamma", 6, ones, true);
  check_vector(specs[1], "beta", 6, zeros, true);
  rows.scale = false;
  CHECK(rows.parameters({6}).size() == 1);

  PReLU prelu;
  prelu.initial_slope = 1.0;
  specs = prelu.parameters({6});
  REQUIRE(specs.size() == 1);
  check_vector(specs[0], "slope", 6, ones, true);

  specs = Normalization().parameters({6});
  REQUIRE(specs.size() == 2);
  check_vector(specs[0], "mean", 6, zeros, false);
  check_vector(specs[1], "variance", 6, ones, false);
}

TEST_CASE("every other layer keeps its inputs' shape, owns nothing and survives a config") {
  for (const char* kind : {"activation", "dropout", "rescaling"}) {
    CAPTURE(kind);
    CHECK(layer(kind)->parameters({5}).empty());
  }
  for (const char* kind : {"activation", "dropout", "batch_normalization", "layer_normalization",
                           "prelu", "rescaling", "normalization"}) {
    CAPTURE(kind);
    const auto made = layer(kind);
    CHECK(made->kind() == kind);
    CHECK(made->output_shape({5}) == 5);
    CHECK(Layer::from_config(made->config())->config() == made->config());
    CHECK_THROWS_WITH_AS(made->output_shape({0}),
                         (std::string(kind) + ": inputs must be >= 1, got 0").c_str(), Error);
    CHECK_THROWS_AS(made->parameters({-1}), Error);
  }
  const Config batch{"batch_normalization",
                     {{"momentum", 0.5}, {"epsilon", 0.125}, {"center", false}, {"scale", false}}};
  CHECK(Layer::from_config(batch)->config() == batch);
  const Config rows{"layer_normalization",
                    {{"epsilon", 0.125}, {"center", false}, {"scale", false}}};
  CHECK(Layer::from_config(rows)->config() == rows);
  const Config rescaling{"rescaling", {{"scale", 0.5}, {"offset", -1.0}}};
  CHECK(Layer::from_config(rescaling)->config() == rescaling);
  const Config activation{"activation", {{"activation", Config{"elu", {{"alpha", 0.5}}}}}};
  CHECK(Layer::from_config(activation)->config() == activation);
}

TEST_CASE("layers of graphs survive the way to a config and back") {
  for (const char* kind : {"add", "subtract", "multiply", "maximum", "concatenate", "dot",
                           "flatten", "global_average_pooling"}) {
    CAPTURE(kind);
    CHECK(layer(kind)->config() == Config{kind, {}});
    CHECK_THROWS_WITH_AS(layer(kind, {{"axis", -1.0}}),
                         ("unknown " + std::string(kind) + " option 'axis'; valid: none").c_str(),
                         Error);
  }
  CHECK(layer("average")->config() == Config{"average", {}});
  const Config configs[] = {{"average", {{"independent", true}}},
                            {"reshape", {{"target_shape", std::vector<double>{4, -1}}}},
                            {"reshape", {{"target_shape", std::int64_t{12}}}},
                            {"permute", {{"dims", std::vector<double>{2, 1}}}},
                            {"take", {{"columns", std::vector<double>{2, 0, 2}}}},
                            {"normalization", {{"invert", true}}},
                            {"repeat_vector", {{"n", std::int64_t{3}}}},
                            {"clip", {{"min_value", -1.0}, {"max_value", 0.5}}},
                            {"clip", {{"max_value", 0.5}}},
                            {"normalization", {{"clip", 3.0}}},
                            {"gaussian_noise", {{"stddev", 0.25}}},
                            {"scale", {{"initial_scale", 0.125}}}};
  for (const Config& config : configs) {
    CAPTURE(config.kind);
    CHECK(Layer::from_config(config)->config() == config);
  }
  const auto specs = Scale(0.5).parameters({{7, 6}});
  REQUIRE(specs.size() == 1);
  check_vector(specs[0], "scale", 6, {Initializer::Kind::constant, Initializer::Constant{0.5}},
               true);
}

TEST_CASE("bad layers of graphs are refused by name and value") {
  const auto refused = [](const char* kind, std::vector<ConfigEntry> options, const char* text) {
    CHECK_THROWS_WITH_AS(layer(kind, std::move(options)), text, Error);
  };
  refused("reshape", {},
          "reshape: target_shape is missing; its extents must be >= 1, or one of them -1");
  refused("reshape", {{"target_shape", std::vector<double>{-1, -1}}},
          "reshape: the extents of target_shape must be >= 1, or one of them -1, got (-1, -1)");
  refused("reshape", {{"target_shape", std::vector<double>{3, 0}}},
          "reshape: the extents of target_shape must be >= 1, or one of them -1, got (3, 0)");
  refused("permute", {}, "permute: dims is missing; it must have each axis from 1 once");
  refused("permute", {{"dims", std::vector<double>{1, 3}}},
          "permute: dims must have each of 1 to 2 once, got (1, 3)");
  refused("permute", {{"dims", std::vector<double>{0, 1}}}, "permute: dims[0] must be >= 1, got 0");
  refused("take", {}, "take: columns is missing; it must name at least one column");
  refused("normalization", {{"clip", 3.0}, {"invert", true}},
          "normalization: invert goes with neither clip nor missing");
  refused("repeat_vector", {}, "repeat_vector: n is missing; it must be >= 1");
  refused("clip", {}, "clip: min_value, max_value or both must be given");
  refused("clip", {{"min_value", 2.0}, {"max_value", 1.0}},
          "clip: min_value must be <= max_value, got 2 and 1");
  refused("clip", {{"min_value", std::numeric_limits<double>::infinity()}},
          "clip: min_value must be finite, got inf");
  refused("gaussian_noise", {}, "gaussian_noise: stddev is missing; it must be >= 0");
  refused("gaussian_noise", {{"stddev", -0.5}}, "gaussian_noise: stddev must be >= 0, got -0.5");
  constexpr std::int64_t huge = std::int64_t{1} << 62;
  CHECK_THROWS_AS(RepeatVector(huge).output_shape({8}), Error);
  CHECK_THROWS_AS(Reshape({huge, huge}).output_shape({8}), Error);
  CHECK_THROWS_AS(Concatenate().output_shape({huge, huge}), Error);
  CHECK_THROWS_AS(Dot().output_shape({{huge, 2}, {4, 2}}), Error);
}

TEST_CASE("bad layers are refused by name and value") {
  const std::int64_t zero = 0, one = 1;
  CHECK_THROWS_WITH_AS(layer("dense", {{"units", zero}}), "dense: units must be >= 1, got 0",
                       Error);
  CHECK_THROWS_WITH_AS(layer("dense"), "dense: units is missing; it must be >= 1", Error);
  CHECK_THROWS_WITH_AS(layer("dense", {{"unit", one}}),
                       "unknown dense option 'unit'; did you mean 'units'? valid: activation, "
                       "bias_initializer, l1, l2, learning_rate_factor, units, use_bias, "
                       "weight_decay_factor, weight_initializer",
                       Error);
  CHECK_THROWS_WITH_AS(layer("dense", {{"units", 2.5}}), "dense: units must be an integer, got 2.5",
                       Error);
  CHECK_THROWS_WITH_AS(layer("dense", {{"units", one}, {"use_bias", one}}),
                       "dense: use_bias must be true or false, got 1", Error);
  CHECK_THROWS_WITH_AS(layer("dense", {{"units", one}, {"l2", -1e-4}}),
                       "dense: l2 must be >= 0, got -0.0001", Error);
  CHECK_THROWS_WITH_AS(layer("dense", {{"units", one}, {"activation", 3.0}}),
                       "dense: activation must be a name or a description, got 3", Error);
  CHECK_THROWS_WITH_AS(
      layer("dense", {{"units", one}, {"activation", std::string("rellu")}}),
      "dense: activation: unknown activation 'rellu'; did you mean 'relu'? valid: elu, gelu, "
      "gelu_tanh, hard_sigmoid, hard_swish, leaky_relu, linear, mish, relu, relu6, selu, sigmoid, "
      "silu, softmax, softplus, softsign, tanh",
      Error);
  CHECK_THROWS_WITH_AS(
      layer("dense", {{"units", one},
                      {"weight_initializer", Config{"normal", {{"standard_deviation", -1.0}}}}}),
      "dense: weight_initializer: normal: standard_deviation must be >= 0, got -1", Error);
  CHECK_THROWS_WITH_AS(layer("dropout", {{"rate", 1.0}}), "dropout: rate must be in [0, 1), got 1",
                       Error);
  CHECK_THROWS_WITH_AS(layer("dropout", {{"rate", std::numeric_limits<double>::quiet_NaN()}}),
                       "dropout: rate must be finite and in [0, 1), got nan", Error);
  CHECK_THROWS_WITH_AS(layer("batch_normalization", {{"momentum", 1.5}}),
                       "batch_normalization: momentum must be in [0, 1], got 1.5", Error);
  CHECK_THROWS_WITH_AS(layer("layer_normalization", {{"epsilon", 0.0}}),
                       "layer_normalization: epsilon must be > 0, got 0", Error);
  CHECK_THROWS_WITH_AS(layer("rescaling", {{"scale", -std::numeric_limits<double>::infinity()}}),
                       "rescaling: scale must be finite, got -inf", Error);
  CHECK_THROWS_WITH_AS(layer("normalization", {{"epsilon", 1.0}}),
                       "unknown normalization option 'epsilon'; valid: clip, columns, "
                       "indicator_columns, invert, method, missing",
                       Error);
  CHECK_THROWS_WITH_AS(layer("attention", {}),
                       doctest::Contains("unknown layer 'attention'; valid: activation, "), Error);
  CHECK_THROWS_WITH_AS(layer("conv", {}),
                       doctest::Contains("unknown layer 'conv'; did you mean 'conv1d'? valid: "),
                       Error);
}

TEST_CASE("a layer made in C++ is checked when it meets its inputs") {
  CHECK_THROWS_WITH_AS(Dense(0).output_shape({3}), "dense: units must be >= 1, got 0", Error);
  CHECK_THROWS_WITH_AS(Dense(2).output_shape({0}), "dense: inputs must be >= 1, got 0", Error);
  CHECK_THROWS_WITH_AS(Dropout(-0.5).output_shape({3}), "dropout: rate must be in [0, 1), got -0.5",
                       Error);
  Dense dense(2, Activation{Activation::Kind::leaky_relu, Activation::LeakyRelu{-1.0}});
  CHECK_THROWS_WITH_AS(dense.parameters({3}),
                       "dense: activation: leaky_relu: negative_slope must be >= 0, got -1", Error);
}

TEST_CASE("a weight matrix beyond 2^48 entries is refused") {
  constexpr std::int64_t side = std::int64_t{1} << 24;
  CHECK(Dense(side).output_shape({side}) == side);
  CHECK_THROWS_WITH_AS(Dense(side + 1).output_shape({side}),
                       "dense: inputs * units must be at most 2^48, got 16777216 * 16777217",
                       Error);
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  CHECK_THROWS_AS(Dense(most).output_shape({most}), Error);
  CHECK_THROWS_AS(LSTM(most).output_shape({{2, 3}}), Error);
  CHECK_THROWS_WITH_AS(GRU(side).output_shape({{2, 3}}),
                       "gru: a matrix must have at most 2^48 entries, got 16777216 * 3 * 16777216",
                       Error);
}

TEST_CASE("every kind of layer is made by its name") {
  CHECK(Layer::kinds().size() == 45);
  CHECK(Layer::kinds().front() == "dense");
  CHECK(layer("dropout")->kind() == "dropout");
  CHECK_THROWS_AS(layer("doubling"), Error);
}

TEST_CASE("a layer of any kind is a value") {
  Dense dense(3, "tanh");
  AnyLayer first = dense;
  dense.units = 4;
  const AnyLayer second = first;
  CHECK(first->output_shape({2}) == 3);
  CHECK(&*first != &*second);
  CHECK(first->config() == second->config());
  first = dense;
  CHECK(first->output_shape({2}) == 4);
  CHECK(second->output_shape({2}) == 3);
  const AnyLayer third = std::move(first);
  CHECK(third->output_shape({2}) == 4);
  first = second;
  CHECK(first->output_shape({2}) == 3);
}
