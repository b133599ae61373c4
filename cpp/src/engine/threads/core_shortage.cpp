// SPDX-License-Identifier: Apache-2.0
#include "engine/threads/core_shortage.hpp"

#include <algorithm>
#include <cmath>

namespace chainrule::engine {
namespace {

using std::chrono::nanoseconds;

std::int64_t nanoseconds_of(CoreShortage::Clock::time_point time) {
  return std::chrono::duration_cast<nanoseconds>(time.time_since_epoch()).count();
}

}  // namespace

// Loads are relaxed: an old value costs time, not a result.
int CoreShortage::limit(int wanted, Clock::time_point now) const {
  if (nanoseconds_of(now) >= try_again_.load(std::memory_order_relaxed)) return wanted;
  return std::min(wanted, found_.load(std::memory_order_relaxed));
}

// A shortage of k cores leaves the team without k threads. Pauses double from one shortage to the
// next, and begin anew once a larger team has had its cores.
void CoreShortage::learn(int size, nanoseconds length, nanoseconds waited, Clock::time_point now) {
  // Two threads are slower than one from about this share of one core on.
  constexpr double tolerated = 0.35;
  constexpr nanoseconds shortest_pause = 5 * piece_length;
  constexpr nanoseconds longest_pause = 100 * piece_length;
  const double without_core = static_cast<double>(waited.count()) /
                              static_cast<double>(std::max<std::int64_t>(1, length.count()));
  if (without_core <= tolerated) {
    if (size > found_.load(std::memory_order_relaxed)) pause_.store(0, std::memory_order_relaxed);
    return;
  }
  const int found = size - static_cast<int>(std::min<double>(size - 1, std::ceil(without_core)));
  const nanoseconds pause = std::clamp<nanoseconds>(
      nanoseconds(2 * pause_.load(std::memory_order_relaxed)), shortest_pause, longest_pause);
  found_.store(found, std::memory_order_relaxed);
  pause_.store(pause.count(), std::memory_order_relaxed);
  try_again_.store(nanoseconds_of(now + pause), std::memory_order_relaxed);
}

}  // namespace chainrule::engine
