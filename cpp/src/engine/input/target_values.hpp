// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/data.hpp"
#include "chainrule/loss.hpp"

namespace chainrule::engine {

/// What chainrule::check_targets does, but for NaN and infinities where any number is a target.
void check_target_values(const TargetsView& y, const Loss& loss, const char* name,
                         const std::vector<std::string>& columns = {}, std::int64_t positions = 1);

}  // namespace chainrule::engine
