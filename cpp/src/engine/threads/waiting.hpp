// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace chainrule::engine {

/// Tells the processor that the thread spins, which leaves the core to its other hardware thread.
inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

/// Returns when `word` is no longer `old`: spins for some microseconds, then yields the core
/// between checks, then sleeps. Waking up takes long, and on a virtual machine a thread often wakes
/// on the waker's core, where the two then alternate.
inline void wait_while(const std::atomic<std::uint32_t>& word, std::uint32_t old) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::microseconds spin_time{10};
  constexpr std::chrono::microseconds yield_time{200};
  constexpr int spins_per_check = 32;
  constexpr int yields_per_clock = 4;
  Clock::time_point start{};
  std::chrono::nanoseconds waited{0};
  do {
    const bool yield = waited >= spin_time;
    for (int i = 0; i < (yield ? yields_per_clock : spins_per_check); ++i) {
      if (word.load(std::memory_order_acquire) != old) return;
      yield ? std::this_thread::yield() : relax();
    }
    const Clock::time_point now = Clock::now();
    if (start == Clock::time_point{}) start = now;
    waited = now - start;
  } while (waited < spin_time + yield_time);
  while (word.load(std::memory_order_acquire) == old) word.wait(old, std::memory_order_acquire);
}

}  // namespace chainrule::engine
