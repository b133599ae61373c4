// SPDX-License-Identifier: Apache-2.0
// Teams of threads, their barrier, and how many threads there should be.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/function_ref.hpp"
#include "engine/threads/core_shortage.hpp"

namespace chainrule::engine {

/// Where the members of a team wait for each other. Spins briefly, then yields, then sleeps.
class Barrier {
 public:
  explicit Barrier(int members) : members_(members) {}
  void wait();

  int members() const { return members_; }
  /// Before any member waits.
  void set_members(int members) { members_ = members; }

 private:
  int members_;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> generation_{0};
};

/// One thread's place in a team.
struct Team {
  int index;
  int size;
  Barrier& barrier;
};

/// Runs `body` on up to `threads` threads at once, the caller among them as index 0, with denormals
/// flushed to zero and rounding to nearest inside and the caller's floating-point mode restored
/// after. The team may be smaller than asked for. The body must not throw. Teams of different
/// callers run side by side, each on threads of its own.
void run_team(int threads, FunctionRef<void(Team)> body);

/// As run_team, for a piece of a call that takes long, best of about CoreShortage::piece_length: if
/// its threads have to wait for cores that others use, the next pieces run on fewer.
void run_piece(int threads, FunctionRef<void(Team)> body);

/// 1 in the serial layer, else CHAINRULE_NUM_THREADS, else the least of OpenMP's limit, the
/// processors that this thread may use and its cgroups' quota. Throws Error where a variable of the
/// environment is wrong.
int default_threads();

/// How many threads one step over `rows` rows deserves.
int worthwhile_threads(double multiply_adds, std::int64_t rows);

/// The lesser of that and what the caller wants, by default default_threads().
int threads_for(double multiply_adds, std::int64_t rows, int wanted);

}  // namespace chainrule::engine
