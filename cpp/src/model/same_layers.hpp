// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/layer.hpp"

namespace chainrule::model {

/// Whether two networks have the same description.
inline bool same_layers(const std::vector<AnyLayer>& a, const std::vector<AnyLayer>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x->config() == y->config(); });
}

}  // namespace chainrule::model
