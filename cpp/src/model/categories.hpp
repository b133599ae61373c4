// SPDX-License-Identifier: Apache-2.0
// Numbers of categories, one for each column or a single one for all, as layers have them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace chainrule::model {

/// Their sum over `columns` columns; throws Error unless there is a single number or one for each,
/// and 32 bits can count the sum.
std::int64_t total_categories(std::string_view kind, std::string_view option,
                              const std::vector<std::int64_t>& counts, std::int64_t columns);

/// One for each column.
std::vector<std::int64_t> for_each_column(const std::vector<std::int64_t>& counts,
                                          std::int64_t columns);

}  // namespace chainrule::model
