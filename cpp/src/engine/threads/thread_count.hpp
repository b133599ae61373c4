// SPDX-License-Identifier: Apache-2.0
// How many threads a call runs on.
#pragma once

#include <cstdint>

namespace chainrule::engine {

/// 1 in the serial layer, else CHAINRULE_NUM_THREADS, else the least of OpenMP's limit, the
/// processors that this thread may use and its cgroups' quota. Throws Error where a variable of the
/// environment is wrong.
int default_threads();

/// How many threads one step over `rows` rows deserves.
int worthwhile_threads(double multiply_adds, std::int64_t rows);

/// The lesser of that and what the caller wants, by default default_threads().
int threads_for(double multiply_adds, std::int64_t rows, int wanted);

}  // namespace chainrule::engine
