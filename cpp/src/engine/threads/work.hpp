// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "chainrule/layer.hpp"

namespace chainrule::engine {

/// Of the products with weights, for one row forward.
double multiply_adds(const std::vector<AnyLayer>& layers, std::int64_t inputs);

}  // namespace chainrule::engine
