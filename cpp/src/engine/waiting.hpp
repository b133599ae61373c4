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

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

/// Returns when `word` is no longer `old`: looks all the time for some microseconds, then between
/// turns of whoever else wants the core, then sleeps. To be woken from sleep takes long, and on a
/// virtual machine it often ends on the waker's core, where the two take turns.
inline void wait_while(const std::atomic<std::uint32_t>& word, std::uint32_t old) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::microseconds looking{10};
  constexpr std::chrono::microseconds yielding{200};
  constexpr int looks_per_clock = 32;
  constexpr int yields_per_clock = 4;
  Clock::time_point start{};
  std::chrono::nanoseconds waited{0};
  do {
    const bool yield = waited >= looking;
    for (int i = 0; i < (yield ? yields_per_clock : looks_per_clock); ++i) {
      if (word.load(std::memory_order_acquire) != old) return;
      yield ? std::this_thread::yield() : relax();
    }
    const Clock::time_point now = Clock::now();
    if (start == Clock::time_point{}) start = now;
    waited = now - start;
  } while (waited < looking + yielding);
  while (word.load(std::memory_order_acquire) == old) word.wait(old, std::memory_order_acquire);
}

}  // namespace chainrule::engine
