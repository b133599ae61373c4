// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "chainrule/activation.hpp"
#include "chainrule/graph.hpp"
#include "chainrule/loss.hpp"

namespace chainrule::model {

/// Whether the activation is the loss's own link, which the loss takes over and computes from the
/// activation's input.
bool contains(const Loss& loss, const Activation& activation);

/// Throws Error where the last activation before an output, a node, keeps the outputs from what the
/// loss takes them for, so that training could not succeed: logits are any real numbers, a hinge
/// needs both signs, and a softmax over one output is constant.
void check_last_activation(const Loss& loss, const Graph& graph, std::int64_t output);

}  // namespace chainrule::model
