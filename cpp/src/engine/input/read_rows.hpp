// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "chainrule/network.hpp"

namespace chainrule::engine {

/// What `read` gives for the numbers of `count` rows of x, which is not in memory. Throws Error
/// unless these are as many rows for each input, with its columns.
InputRows read_rows(const ReadRows& read, const std::int64_t* numbers, std::int64_t count,
                    const Inputs& x);

}  // namespace chainrule::engine
