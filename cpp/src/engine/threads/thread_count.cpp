// SPDX-License-Identifier: Apache-2.0
#include "engine/threads/thread_count.hpp"

#include <algorithm>
#include <cstdlib>

#include "chainrule/network.hpp"
#include "engine/threads/processors.hpp"
#include "engine/threads/threading_layer.hpp"
#include "engine/threads/wished_threads.hpp"

#if defined(CHAINRULE_HAS_OPENMP)
#include "engine/threads/openmp_team.hpp"
#endif

namespace chainrule::engine {

// The least of what the affinity, the cgroup and OpenMP allow; a wish of the user's own replaces
// them.
int default_threads() {
  const int wish = wished_threads();
  if (threading_layer() == ThreadingLayer::serial) return 1;
  if (wish > 0) return wish;
  // The affinity may change while the program runs; files are not read in every call.
  static const int quota = cgroup_quota();
  int n = allowed_processors();
  if (quota > 0) n = std::min(n, quota);
#if defined(CHAINRULE_HAS_OPENMP)
  // Whatever the layer: a program that limits OpenMP's threads means all of its libraries.
  return std::min(openmp_threads(), n);
#else
  const int limit = first_thread_count(std::getenv("OMP_NUM_THREADS"));
  return limit > 0 ? std::min(n, limit) : n;
#endif
}

// The count is that of a step of `rows` rows.
int worthwhile_threads(double multiply_adds, std::int64_t rows) {
  constexpr double per_thread = 2e5;  // a few microseconds of work, what a pair of barriers costs
  constexpr double most = 1 << 10;
  return static_cast<int>(
      std::clamp(multiply_adds * static_cast<double>(rows) / per_thread, 1.0, most));
}

int threads_for(double multiply_adds, std::int64_t rows, int wanted) {
  const int worthwhile = worthwhile_threads(multiply_adds, rows);
  if (worthwhile == 1 || threading_layer() == ThreadingLayer::serial) return 1;
  return std::min(worthwhile, wanted > 0 ? wanted : default_threads());
}

}  // namespace chainrule::engine

namespace chainrule {

int default_num_threads() { return engine::default_threads(); }

}  // namespace chainrule
