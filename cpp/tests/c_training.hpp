// SPDX-License-Identifier: Apache-2.0
// A small training through the C interface, whose events can write about it, and the same in C++.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "c_handles.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/trainer.hpp"
#include "networks.hpp"

namespace chainrule::testing {

inline constexpr const char* kSgd = R"({"kind": "sgd", "learning_rate": 0.05})";

/// Seven rows, and what the events of a training wrote about it.
struct Training {
  std::vector<float> x, y;
  CNetwork network = c_network();
  CTrainer trainer = c_trainer(network, kSgd);
  chainrule_rows rows{}, values{};
  chainrule_targets targets{};
  chainrule_fit_options options{};
  chainrule_epoch_report last{};
  std::string events;
  std::vector<double> losses, rates;
  std::string answer;

  Training() {
    const DataSet data(7, 4, 2);
    x.assign(data.x.begin(), data.x.end());
    y.assign(data.targets.begin(), data.targets.end());
    rows = c_rows(x, 4);
    values = c_rows(y, 2);
    targets = c_targets(&values);
    options.struct_size = sizeof options;
    options.batch_size = 2;
    options.context = this;
    last.struct_size = sizeof last;
  }
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  void validate() {
    options.validation_x = &rows;
    options.validation_y = &targets;
  }
  std::string fit() {
    return refusal(chainrule_trainer_fit(trainer.get(), &rows, &targets, &options, &last));
  }
  std::vector<float> weights() const { return c_parameter(network, "0.weight"); }
  chainrule_early_stopping_info stopping() const {
    chainrule_early_stopping_info info{};
    info.struct_size = sizeof info;
    CHECK(chainrule_trainer_get_early_stopping(trainer.get(), &info) == CHAINRULE_OK);
    return info;
  }
};

inline Training& training(void* context) { return *static_cast<Training*>(context); }

/// The same network and data in C++.
struct Same {
  Network<float> network{{Dense(3, "tanh"), Dense(2)}, 4, 5};
  Trainer<float> trainer{network, mse(), optimizer(Optimizer::Kind::sgd, 0.05)};
  DataSet data{7, 4, 2};
  std::vector<float> x{data.x.begin(), data.x.end()}, y{data.targets.begin(), data.targets.end()};

  std::vector<EpochReport> fit(FitOptions o) {
    o.batch_size = 2;
    TargetsView targets;
    targets.values = view(y.data(), 7, 2);
    targets.rows = 7;
    if (o.validation_x.rows() == 1) {  // stands for those
      o.validation_x = view(x.data(), 7, 4);
      o.validation_y = targets;
    }
    return trainer.fit(view(x.data(), 7, 4), targets, o);
  }
  std::vector<float> weights() const {
    std::vector<float> w(12);
    network.get_parameter("0.weight", w.data());
    return w;
  }
};

}  // namespace chainrule::testing
