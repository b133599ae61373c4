// SPDX-License-Identifier: Apache-2.0
// Inputs that say how long the sequences of another input are.
#pragma once

#include <cstdint>
#include <string>

#include "chainrule/data.hpp"
#include "chainrule/graph.hpp"

namespace chainrule::engine {

/// The longest that a node, an input, may say that a sequence is, by all layers that take its
/// numbers for lengths; 0 where none does.
std::int64_t most_length(const Graph& graph, std::int64_t input);

/// Throws Error naming the first row of x that is no whole number from 1 to `most`.
void check_lengths(const RowsView& x, std::int64_t most, const std::string& name);

}  // namespace chainrule::engine
