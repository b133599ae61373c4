// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "chainrule/network.hpp"
#include "engine/second_order/parameter_vector.hpp"

namespace chainrule {

/// Throws Error unless the data fit the network and the losses, and the loss is a function of the
/// parameters alone: no layer gives something else each time, or mixes the rows of a batch. `who`
/// needs that, as the text says.
template <class T>
void check_full_batch(const Network<T>& network, const Inputs& x, const Targets& y,
                      const Losses& losses, const std::string& who);

/// Throws Error where least squares in all parameters at once are out of reach.
void check_least_squares(const Graph& graph, const engine::ParameterVector& parameters,
                         const std::vector<Loss>& losses, const std::vector<TargetsView>& y,
                         const std::string& who);

}  // namespace chainrule
