// SPDX-License-Identifier: Apache-2.0
// A stranger's program: trains a network on the exclusive or and checks what it predicts.
#include <cmath>
#include <cstdio>
#include <vector>

#include "chainrule/layers.hpp"
#include "chainrule/network.hpp"
#include "chainrule/version.h"

int main() {
  using namespace chainrule;
  const std::vector<float> x{0, 0, 0, 1, 1, 0, 1, 1};
  const std::vector<float> y{0, 1, 1, 0};

  const Activation tanh{.kind = Activation::Kind::tanh};
  Network<float> network({Dense(8, tanh), Dense(1)}, 2, 0);
  const Optimizer adam = Adam{.learning_rate = 0.05};
  const Loss loss = Loss::defaults(Loss::Kind::mse);

  TargetsView targets;
  targets.values = view(y.data(), 4, 1);
  targets.rows = 4;
  double value = 0.0;
  for (int epoch = 0; epoch < 300; ++epoch) {
    value = network.run_epoch(view(x.data(), 4, 2), targets, loss, adam, {.batch_size = 4}).loss;
  }
  std::vector<float> predicted(4);
  network.predict(view(x.data(), 4, 2), 4, 1, predicted.data());
  std::printf("chainrule %s, loss %.2e\n", version(), value);
  for (std::size_t i = 0; i < 4; ++i) {
    if (std::fabs(predicted[i] - y[i]) > 0.1f) return 1;
  }
  return 0;
}
