// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chainrule/graph.hpp"

namespace chainrule::engine {

/// The multiply-adds of all products with weights in the forward pass of one row.
double multiply_adds(const Graph& graph);

}  // namespace chainrule::engine
