// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "chainrule/chainrule.h"
#include "chainrule/data.hpp"

namespace chainrule::c_api {

/// The caller's table; throws Error, with `name` in its text, for one that cannot be read. What
/// compressed rows hold is checked, the numbers of other tables are not.
RowsView rows_view(const chainrule_rows* rows, const char* name);

/// How many rows and columns there are of a table whose rows a function of the caller's reads.
RowsView unread_view(const chainrule_rows* rows, const char* name);

/// The caller's targets for each of `outputs` outputs, structures that lie one behind the other.
std::vector<TargetsView> targets_views(const chainrule_targets* targets, std::size_t outputs,
                                       const char* name);

InputSparsity input_sparsity(chainrule_sparsity given);

}  // namespace chainrule::c_api
