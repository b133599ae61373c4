// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"

namespace chainrule {

/// The valid name nearest to `given` by edit distance, ignoring case and the difference between
/// '-', ' ' and '_'; empty when none is near enough to be meant, and for what other libraries call
/// something else, such as adamax.
CHAINRULE_API std::string nearest_name(std::string_view given,
                                       const std::vector<std::string>& valid);

/// The text of the error for a name that is not among `valid`, such as
/// "unknown activation 'rellu'; did you mean 'relu'? valid: elu, gelu, ...".
CHAINRULE_API std::string unknown_name(std::string_view what, std::string_view given,
                                       std::vector<std::string> valid);

}  // namespace chainrule
