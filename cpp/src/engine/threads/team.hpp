// SPDX-License-Identifier: Apache-2.0
// Teams of threads that run one function together.
#pragma once

#include "engine/function_ref.hpp"
#include "engine/threads/barrier.hpp"

namespace chainrule::engine {

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

}  // namespace chainrule::engine
