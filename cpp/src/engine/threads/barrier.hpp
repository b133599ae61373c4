// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace chainrule::engine {

/// Where the members of a team wait for each other. Spins briefly, then yields, then sleeps.
class Barrier {
 public:
  explicit Barrier(int members) : members_(members) {}

  /// Returns when all members have called it; what they wrote before is visible then.
  void wait();

  int members() const { return members_; }
  /// To be called before any member waits.
  void set_members(int members) { members_ = members; }

 private:
  int members_;
  // On cache lines of their own: arrivals must not disturb the threads that watch for the end.
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> generation_{0};
};

}  // namespace chainrule::engine
