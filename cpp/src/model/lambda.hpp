// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "chainrule/graph.hpp"

namespace chainrule::model {

/// Throws Error naming the first Lambda of a graph, which `what` cannot hold: it is functions of
/// the program.
void refuse_lambdas(const Graph& graph, const std::string& what);

}  // namespace chainrule::model
