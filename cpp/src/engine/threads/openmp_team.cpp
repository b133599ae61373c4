// SPDX-License-Identifier: Apache-2.0
#include "engine/threads/openmp_team.hpp"

#include <omp.h>

#include <algorithm>

namespace chainrule::engine {

void run_openmp_team(int threads, FunctionRef<void(int size)> start,
                     FunctionRef<void(int index)> task) {
#pragma omp parallel num_threads(threads)
  {
    // The construct ends in a barrier, so all members see what `start` prepared.
#pragma omp single
    start(omp_get_num_threads());
    task(omp_get_thread_num());
  }
}

int openmp_threads() { return omp_in_parallel() ? 1 : std::max(omp_get_max_threads(), 1); }

}  // namespace chainrule::engine
