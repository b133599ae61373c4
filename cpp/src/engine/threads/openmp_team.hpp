// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/function_ref.hpp"

namespace chainrule::engine {

/// Runs one parallel region of OpenMP on up to `threads` threads: `start(size)` on one of them,
/// with the number of threads that the runtime gave, then task(0) .. task(size - 1) on all, the
/// caller's as 0. Neither may throw. Inside another parallel region the runtime usually gives the
/// caller only.
void run_openmp_team(int threads, FunctionRef<void(int size)> start,
                     FunctionRef<void(int index)> task);

/// How many threads the runtime allows a region from here: OMP_NUM_THREADS, or what
/// omp_set_num_threads or threadpoolctl have set since; 1 inside a parallel region.
int openmp_threads();

}  // namespace chainrule::engine
