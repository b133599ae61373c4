// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "chainrule/augmentation.hpp"
#include "chainrule/loss.hpp"

namespace chainrule::engine {

class Occupancy;

/// What a plan is compiled for, besides the network.
struct PlanOptions {
  std::int64_t batch_size = 1;
  int threads = 1;  // most that a team may have
  bool backward = false;
  bool input_gradient = false;
  bool whole_steps = false;  // one team goes all the way from load to gradients
  bool keep_values = false;  // of all tensors, to be looked at behind the forward pass
  Losses losses = {};        // of each output: replaces a last activation that it contains
  std::vector<std::int64_t> result_nodes = {};  // what is worked out; empty: the graph's outputs
  Augmentations augment = {};                   // of the images that are read
  const Occupancy* occupancy = nullptr;  // of the network, while functions of the caller's run
};

}  // namespace chainrule::engine
