// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace chainrule::engine {

/// Remembers how many threads have lately found cores of their own. A team whose members wait for
/// cores that others use is slower than a smaller one: at every barrier all wait for the one that
/// waits longest. Any thread may ask and tell.
class CoreShortage {
 public:
  using Clock = std::chrono::steady_clock;

  /// `wanted`, or fewer threads for some time after a shortage.
  int limit(int wanted, Clock::time_point now) const;

  /// A team of `size` worked for `length` until `now`, in which its members, all together, were
  /// ready to run without a core for `waited`.
  void learn(int size, std::chrono::nanoseconds length, std::chrono::nanoseconds waited,
             Clock::time_point now);

  /// How long a piece of work between two decisions should be: short interruptions should not count
  /// for much, and long ones be noticed early.
  static constexpr std::chrono::milliseconds piece_length{20};

 private:
  std::atomic<int> found_{0};
  std::atomic<std::int64_t> pause_{0};      // until all threads are tried again, in nanoseconds
  std::atomic<std::int64_t> try_again_{0};  // in nanoseconds of the clock
};

}  // namespace chainrule::engine
