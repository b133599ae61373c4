// SPDX-License-Identifier: Apache-2.0
// Options that name some of the columns which a layer reads; without any they mean all.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace chainrule::model {

/// Throws Error unless each is one of `inputs` columns, and named once.
void check_columns(std::string_view kind, std::string_view option,
                   const std::vector<std::int64_t>& columns, std::int64_t inputs);

/// These, or all of the `inputs` columns where there are none.
std::vector<std::int64_t> or_all(const std::vector<std::int64_t>& columns, std::int64_t inputs);

}  // namespace chainrule::model
