// SPDX-License-Identifier: Apache-2.0
// All threading of the library: teams, their barrier, and how many threads there should be.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace chainrule::engine {

/// Spins briefly, then blocks, so that a team on busy cores slows down gently.
class Barrier {
 public:
  explicit Barrier(int members) : members_(members) {}
  void wait();

 private:
  const int members_;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int> generation_{0};
};

/// One thread's place in a team.
struct Team {
  int index;
  int size;
  Barrier& barrier;
};

/// Runs `body` on up to `threads` threads at once, the caller among them as index 0, with denormals
/// flushed to zero and rounding to nearest inside and the caller's floating-point mode restored
/// after. The team may be smaller than asked for. The body must not throw.
void run_team(int threads, const std::function<void(Team)>& body);

/// CHAINRULE_NUM_THREADS, else the least of OpenMP's limit, the processors this process may use and
/// its cgroup's quota.
int default_threads();

/// "openmp", "stdthread" or "serial".
const char* thread_backend();

}  // namespace chainrule::engine
