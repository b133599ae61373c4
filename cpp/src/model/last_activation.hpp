// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "chainrule/activation.hpp"
#include "chainrule/graph.hpp"
#include "chainrule/loss.hpp"

namespace chainrule::model {

/// Whether the activation is the loss's own link, which the loss takes over and computes from the
/// activation's input.
bool contains(const Loss& loss, const Activation& activation);

/// The nodes that have the loss of an output, a node, in training: the members that an independent
/// Average reads, of any other output it itself. They are views of the graph, or of `output`.
std::span<const std::int64_t> trained_nodes(const Graph& graph, const std::int64_t& output);

/// The activation that an output, a node, ends in, or that all members of an independent Average
/// end in; linear where there is none.
Activation::Kind last_activation(const Graph& graph, std::int64_t output);

/// Throws Error where the last activation before an output, a node, keeps the outputs from what the
/// loss takes them for, so that training could not succeed: logits are any real numbers, a hinge
/// needs both signs, and a softmax over one output is constant. And where the loss contains
/// the last activations of only some of an ensemble's members.
void check_last_activation(const Loss& loss, const Graph& graph, std::int64_t output);

}  // namespace chainrule::model
