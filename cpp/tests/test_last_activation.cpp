// SPDX-License-Identifier: Apache-2.0
// A last activation that the loss cannot train through is refused wherever a loss meets a network.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "c_handles.hpp"
#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/trainer.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;
using Act = Activation::Kind;

bool takes(const char* loss, std::vector<AnyLayer> layers, bool from_logits = false) {
  Network<float> network(std::move(layers), 4, 1);
  Config config{loss, {}};
  if (from_logits) config.options.push_back({"from_logits", true});
  const Loss described = Loss::from_config(config);
  try {
    network.check_loss(described);
    return true;
  } catch (const Error&) {
    return false;
  }
}

Network<float> ending_in(Act activation) {
  return {{Dense(5, "relu"), dense(3, activation)}, 4, 1};
}

}  // namespace

TEST_CASE("a loss takes outputs of its range, or its own link") {
  const std::set<std::string> any{"linear", "leaky_relu"};
  const std::set<std::string> signs{"linear",     "leaky_relu", "elu",  "gelu",
                                    "gelu_tanh",  "silu",       "tanh", "softsign",
                                    "hard_swish", "mish",       "selu"};
  for (const std::string& name : Activation::kinds()) {
    CAPTURE(name);
    const std::vector<AnyLayer> own{Dense(3, name)};
    const std::vector<AnyLayer> apart{Dense(3), ActivationLayer(name)};
    for (const auto& layers : {own, apart}) {
      CHECK(takes("mse", layers));
      CHECK(takes("quantile", layers));
      CHECK(takes("cross_entropy", layers) == (any.count(name) == 1 || name == "softmax"));
      CHECK(takes("binary_cross_entropy", layers) == (any.count(name) == 1 || name == "sigmoid"));
      CHECK(takes("poisson", layers) == (any.count(name) == 1));
      CHECK(takes("hinge", layers) == (signs.count(name) == 1));
      CHECK(takes("cross_entropy", layers, true));
      CHECK(takes("binary_cross_entropy", layers, true));
      CHECK(takes("poisson", layers, true));
    }
  }
  // Without a slope on the left these are relu.
  CHECK_FALSE(
      takes("cross_entropy", {Dense(3, Activation{Act::leaky_relu, Activation::LeakyRelu{0.0}})}));
  CHECK_FALSE(takes("hinge", {Dense(3, Activation{Act::elu, Activation::Elu{0.0}})}));
}

TEST_CASE("layers behind the last activation are seen through") {
  const char* ce = "cross_entropy";
  CHECK_FALSE(takes(ce, {Dense(3, "relu"), Dropout(0.2)}));
  CHECK_FALSE(takes(ce, {Dense(3, "relu"), ActivationLayer("linear"), Dropout(0.2)}));
  CHECK_FALSE(takes(ce, {Dense(3, "relu"), Rescaling(1.0)}));
  CHECK_FALSE(takes(ce, {Dense(3, "sigmoid"), Rescaling(20.0, -10.0)}));
  // The loss takes over no link that a layer lies behind, so it would be applied twice.
  CHECK_FALSE(takes(ce, {Dense(3, "softmax"), Dropout(0.2)}));
  CHECK_FALSE(takes(ce, {Dense(3, "softmax"), Rescaling(1.0)}));
  CHECK(takes(ce, {Dense(3, "softmax"), ActivationLayer("linear")}));
  CHECK(takes(ce, {Dense(3, "leaky_relu"), Dropout(0.2)}));
  // A normalisation, or a dense layer, gives any numbers again.
  CHECK(takes(ce, {Dense(3, "relu"), BatchNormalization()}));
  CHECK(takes(ce, {Dense(3, "relu"), LayerNormalization(), Dropout(0.1)}));
  CHECK(takes(ce, {Dense(3, "softmax"), Dense(3)}));
  CHECK(takes(ce, {Dropout(0.5)}));
  CHECK(takes("hinge", {Dense(3, "sigmoid"), Rescaling(2.0, -1.0)}));
  CHECK_FALSE(takes("hinge", {Dense(3, "tanh"), Rescaling(1.0, 1.0)}));
  CHECK_FALSE(takes("hinge", {Dense(3), Rescaling(-1.0), ActivationLayer("relu")}));
  // A softmax over one output is constant, whatever the loss.
  CHECK_FALSE(takes("mse", {Dense(1, "softmax")}));
  CHECK_FALSE(takes("binary_cross_entropy", {Dense(1), ActivationLayer("softmax")}));
}

TEST_CASE("whatever takes a loss refuses the pair, names it, and changes nothing") {
  const DataSet data(20, 4, 3);
  Network<float> network = ending_in(Act::sigmoid);
  const Snapshot<float> before(network);
  const Loss loss = cross_entropy();
  const Optimizer adam = optimizer(Optimizer::Kind::adam, 1e-3);
  const char* text =
      "cross_entropy takes outputs that may be any number (logits), but the last activation is "
      "sigmoid, which gives values in [0, 1]: use Dense(3) without activation, or Dense(3, "
      "activation=\"softmax\") as the last layer. from_logits=True in the loss takes the outputs "
      "as they are all the same";
  const RowsView x = data.inputs_view();
  CHECK_THROWS_WITH_AS(Trainer<float>(network, loss, adam), text, Error);
  CHECK_THROWS_WITH_AS(network.run_epoch(x, data.by_label(), loss, adam, options(5)), text, Error);
  CHECK_THROWS_WITH_AS(network.evaluate(x, data.by_label(), loss, 8, 1, nullptr), text, Error);
  CHECK_THROWS_WITH_AS(network.check(x, data.by_label(), loss), text, Error);
  CHECK_THROWS_WITH_AS(network.compute_gradients(x, data.by_label(), loss, true, 1, nullptr), text,
                       Error);
  CHECK(Snapshot<float>(network) == before);
  std::vector<float> outputs(60);
  network.predict(x, 20, 1, outputs.data());  // as ever
  Loss meant = loss;
  meant.options.get_if<Loss::CrossEntropy>()->from_logits = true;
  Trainer<float>(network, meant, adam).step(x, data.by_label());
  CHECK_FALSE(Snapshot<float>(network) == before);
}

TEST_CASE("from_logits is kept in the config where it is true") {
  Loss loss = cross_entropy();
  CHECK(loss.config().options.size() == 1);
  loss.options.get_if<Loss::CrossEntropy>()->from_logits = true;
  CHECK(Loss::from_config(loss.config()) == loss);
  CHECK_THROWS_AS(Loss::from_config({"mse", {{"from_logits", true}}}), Error);
  CHECK_THROWS_AS(Loss::from_config({"hinge", {{"from_logits", true}}}), Error);
}

TEST_CASE("C: a trainer is refused for a last activation that is not the loss's") {
  chainrule_network* made = nullptr;
  REQUIRE(chainrule_network_create(R"([{"kind": "dense", "units": 2, "activation": "softmax"}])", 4,
                                   nullptr, &made) == CHAINRULE_OK);
  const CNetwork network(made);
  chainrule_trainer_options options{};
  options.struct_size = sizeof options;
  options.loss = "binary_cross_entropy";
  options.optimizer = "adam";
  chainrule_trainer* trainer = nullptr;
  CHECK(chainrule_trainer_create(network.get(), &options, &trainer) == CHAINRULE_ERROR_ARGUMENT);
  CHECK(std::string(chainrule_last_error()).find("the last activation is softmax") !=
        std::string::npos);
  options.loss = R"({"kind": "binary_cross_entropy", "from_logits": true})";
  REQUIRE(chainrule_trainer_create(network.get(), &options, &trainer) == CHAINRULE_OK);
  chainrule_trainer_destroy(trainer);
}
