// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "chainrule/graph.hpp"

namespace chainrule::engine {

/// Which columns of each input of a graph may hold NaN: those that, wherever they lead to, come to
/// a layer that knows what to do with a missing number. Empty for an input that has none.
std::vector<std::vector<bool>> missing_columns(const Graph& graph);

}  // namespace chainrule::engine
