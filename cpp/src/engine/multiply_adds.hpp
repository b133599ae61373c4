// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chainrule/graph.hpp"

namespace chainrule::engine {

/// Of the products with weights, for one row forward.
double multiply_adds(const Graph& graph);

}  // namespace chainrule::engine
