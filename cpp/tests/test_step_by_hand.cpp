// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/network.hpp"
#include "engine/optimizer/optimizer_state.hpp"
#include "engine/optimizer/step_bounds.hpp"
#include "engine/optimizer/update.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

using Kind = Optimizer::Kind;

/// A forward and a backward pass of two rows, with gradients in proportion to `scale`.
template <class T>
void pass(Network<T>& network, T scale) {
  const std::vector<T> x{T(0.5), T(-1), T(2), T(1), T(0.25), T(-0.5)};
  const std::vector<T> dy{scale, -scale, scale / 2, scale};
  network.forward(view(x, 3), true, 1, nullptr);
  network.backward(view(dy, 2), nullptr);
}

template <class T>
Network<T> small() {
  return {{dense(5, Activation::Kind::tanh), dense(2)}, 3, 7};
}

}  // namespace

TEST_CASE_TEMPLATE("a step that would make NaN is not made", T, float, double) {
  for (const std::string& name : Optimizer::kinds()) {
    CAPTURE(name);
    const Optimizer o = Optimizer::from_config({name, {{"learning_rate", 0.01}}});
    for (const int before : {0, 1, 70}) {
      CAPTURE(before);
      Network<T> network = small<T>();
      for (int i = 0; i < before; ++i) {
        pass(network, T(1));
        network.step(o, 0.0);
      }
      pass(network, std::numeric_limits<T>::max());
      const std::string held = model_bytes(network, TrainingState());
      const Snapshot<T> all(network);
      for (int i = 0; i < 2; ++i) {
        CHECK_THROWS_WITH_AS(network.step(o, 0.0), doctest::Contains("was not made"),
                             DivergenceError);
        CHECK(model_bytes(network, TrainingState()) == held);
        CHECK(Snapshot<T>(network) == all);
        CHECK(network.has_gradients());
      }
      pass(network, T(1));
      CHECK_NOTHROW(network.step(o, 0.0));
    }
  }
}

TEST_CASE("bounds hold what steps make of numbers") {
  const auto& kernels = kernels::active<float>();
  for (const std::string& name : Optimizer::kinds()) {
    CAPTURE(name);
    Optimizer o = Optimizer::from_config({name, {{"learning_rate", 0.5}}});
    if (o.kind() == Kind::sgd) o.get<Sgd>().momentum = 0.9;
    Network<float> network = small<float>();
    // Ordinary steps need no copy: gradients that grow twofold a step are far from the range's end
    // for long, and numbers that are out of it are never called safe.
    engine::StepBounds<float> bounds;
    CHECK_FALSE(bounds.known());
    CHECK_FALSE(bounds.step(engine::make_rule<float>(o, 0.5, 1), {}, 1.0));
    engine::Parameters<float> parameters(network.graph(), kernels.panel);
    parameters.initialize(7);
    engine::OptimizerState<float> state;
    state.prepare(o, parameters.arena_size());
    bounds.look(kernels, parameters, state);
    REQUIRE(bounds.known());
    for (int step = 1; step < 40; ++step)
      CHECK(bounds.step(engine::make_rule<float>(o, 0.5, step), {}, 1.0));
    for (const double bad : {1e38, std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::quiet_NaN()}) {
      bounds.look(kernels, parameters, state);
      CHECK_FALSE(bounds.step(engine::make_rule<float>(o, 0.5, 3), {}, bad));
      CHECK_FALSE(bounds.known());
    }
    bounds.look(kernels, parameters, state);
    CHECK_FALSE(bounds.step(engine::make_rule<float>(o, 1e38, 3), {}, 1.0));
    parameters.values.data()[1] = std::numeric_limits<float>::quiet_NaN();
    bounds.look(kernels, parameters, state);
    CHECK_FALSE(bounds.known());
    CHECK(engine::first_not_finite(parameters, state) == &parameters.list()[0]);
  }
}

TEST_CASE_TEMPLATE("memory that no step leaves behind is refused", T, float, double) {
  Network<T> network = small<T>();
  pass(network, T(1));
  network.step(optimizer(Kind::adam, 0.01), 0.0);
  std::vector<T> values(10, T(0.5));
  network.set_slot("exp_avg_sq", "1.weight", values.data());
  values[3] = T(-1);
  CHECK_NOTHROW(network.set_slot("exp_avg", "1.weight", values.data()));
  CHECK_THROWS_AS(network.set_slot("exp_avg_sq", "1.weight", values.data()), Error);
  values[3] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_AS(network.set_slot("exp_avg", "1.weight", values.data()), Error);
}
