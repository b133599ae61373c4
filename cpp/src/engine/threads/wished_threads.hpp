// SPDX-License-Identifier: Apache-2.0
// How many threads the environment asks for.
#pragma once

namespace chainrule::engine {

/// The first number of OMP_NUM_THREADS, which may be a list as in "4,2"; 0 unless it is >= 1.
int first_thread_count(const char* text);

/// What CHAINRULE_NUM_THREADS says, 0 where it is empty or not set; throws Error for what is no
/// number of threads.
int wished_threads();

}  // namespace chainrule::engine
