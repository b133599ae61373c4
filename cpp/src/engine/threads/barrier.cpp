// SPDX-License-Identifier: Apache-2.0
#include "engine/threads/barrier.hpp"

#include "engine/threads/waiting.hpp"

namespace chainrule::engine {

// The last to arrive begins a new generation, for which the others wait: a count alone could not
// tell a thread that is slow to leave this barrier from one that is already at the next.
void Barrier::wait() {
  const std::uint32_t generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  wait_while(generation_, generation);
}

}  // namespace chainrule::engine
