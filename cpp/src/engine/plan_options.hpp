// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "chainrule/loss.hpp"

namespace chainrule::engine {

/// What a plan is compiled for, besides the network.
struct PlanOptions {
  std::int64_t batch_size = 1;
  int threads = 1;  // most that a team may have
  bool backward = false;
  bool input_gradient = false;
  bool whole_steps = false;    // one team goes all the way from load to gradients
  const Loss* loss = nullptr;  // lets the loss replace a last activation that it contains
};

}  // namespace chainrule::engine
