// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace chainrule::engine {

/// What error texts call column j of the caller's data: its name where it has one, or its number.
inline std::string column_text(const std::vector<std::string>& names, std::int64_t j) {
  const auto place = static_cast<std::size_t>(j);
  return place < names.size() ? "'" + names[place] + "'" : std::to_string(j);
}

}  // namespace chainrule::engine
