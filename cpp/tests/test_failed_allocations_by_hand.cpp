// SPDX-License-Identifier: Apache-2.0
// The same for what is done to gradients and parameters by hand.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "failed_allocations.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

std::unique_ptr<Network<float>> fresh() {
  const Layers layers{dense(6, Activation::Kind::relu), BatchNormalization(), dense(5)};
  return std::make_unique<Network<float>>(layers, 4, 7);
}

std::unique_ptr<Network<float>> passed() {
  auto network = fresh();
  const std::vector<float> dy(15, 1.0f);
  std::vector<float> x;
  for (int i = 0; i < 12; ++i) x.push_back(static_cast<float>(i * i % 7));
  std::vector<float> outputs(15);
  network->forward(view(x.data(), 3, 4), true, 1, outputs.data());
  network->backward(view(dy.data(), 3, 5), nullptr);
  return network;
}

const std::vector<float> kWeight(24, 1.5f), kBias(5, 2.5f);

NetworkState<float> state(const std::unique_ptr<Network<float>>& network) {
  return NetworkState<float>(*network);
}

}  // namespace

TEST_CASE("states differ where one number does, and only there") {
  auto network = passed();
  const auto before = state(network);
  CHECK(state(passed()) == before);
  CHECK_FALSE(state(fresh()) == before);
  network->set_gradients({{"2.bias", kBias.data()}}, false);
  CHECK_FALSE(state(network) == before);
  network = passed();
  std::vector<float> bias = parameter(*network, "2.bias");
  bias[3] = std::nextafter(bias[3], 1.0f);
  network->set_parameter("2.bias", bias.data());
  CHECK_FALSE(state(network) == before);
}

TEST_CASE("gradients are set, all that were given or none") {
  for (const bool others_zero : {false, true})
    for (const auto& make : {fresh, passed})
      fail_every_allocation(
          make,
          [&](auto& network) {
            network->set_gradients({{"0.weight", kWeight.data()}, {"2.bias", kBias.data()}},
                                   others_zero);
            return std::string();
          },
          state);
}

TEST_CASE("gradients are set, all that were given or none, where one is bad") {
  const auto network = passed();
  const auto before = state(network);
  const std::vector<float> bad(5, INFINITY);
  CHECK_THROWS_WITH_AS(
      network->set_gradients({{"0.weight", kWeight.data()}, {"2.bias", bad.data()}}, true),
      "the gradient for 2.bias contains NaN or infinity", Error);
  CHECK_THROWS_AS(
      network->set_gradients({{"0.weight", kWeight.data()}, {"1.mean", kBias.data()}}, true),
      Error);
  CHECK(state(network) == before);
  network->set_gradients({{"2.bias", kBias.data()}}, false);
  const auto gradients = [&](const char* name, std::size_t size) {
    std::vector<float> values(size);
    network->get_gradient(name, values.data());
    return values;
  };
  CHECK(gradients("2.bias", 5) == kBias);
  CHECK(gradients("2.weight", 30) != std::vector<float>(30));
  network->set_gradients({{"2.bias", kBias.data()}}, true);
  CHECK(gradients("2.bias", 5) == kBias);
  CHECK(gradients("2.weight", 30) == std::vector<float>(30));
}

TEST_CASE("activations are read, and parameters move towards others, without memory or not") {
  fail_every_allocation(
      passed,
      [](auto& network) {
        std::vector<float> values(15);
        network->get_activation(2, values.data());
        return bytes_of(values);
      },
      state);
  const Network<float> other({dense(6, Activation::Kind::relu), BatchNormalization(), dense(5)}, 4,
                             8);
  fail_every_allocation(
      fresh,
      [&](auto& network) {
        network->interpolate(other, 0.25);
        return std::string();
      },
      state, true);
}
