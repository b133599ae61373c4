// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "engine/threads/waiting.hpp"

namespace chainrule::engine {

/// A ticket lock for each of several parts of something, so that while one thread works on a part,
/// others work on other parts. A part is given to tickets in their order, 0 first. Who has which
/// tickets is known beforehand, so none are drawn.
class TicketLocks {
 public:
  explicit TicketLocks(int parts) : parts_(static_cast<std::size_t>(parts)) {}

  /// To be called where no thread uses the locks: the next ticket of each part is 0 again.
  void restart() {
    for (Part& part : parts_) part.serving.store(0, std::memory_order_relaxed);
  }

  /// Returns when the tickets before this one have been released; what was written under them is
  /// visible then.
  void acquire(int part, std::uint32_t ticket) const {
    const std::atomic<std::uint32_t>& serving = parts_[static_cast<std::size_t>(part)].serving;
    for (std::uint32_t now; (now = serving.load(std::memory_order_acquire)) != ticket;)
      wait_while(serving, now);
  }

  void release(int part, std::uint32_t ticket) {
    std::atomic<std::uint32_t>& serving = parts_[static_cast<std::size_t>(part)].serving;
    serving.store(ticket + 1, std::memory_order_release);
    serving.notify_all();
  }

 private:
  /// On a cache line of its own: a release must not disturb who waits for another part.
  struct alignas(64) Part {
    std::atomic<std::uint32_t> serving{0};  // the ticket that has the part
  };
  std::vector<Part> parts_;
};

}  // namespace chainrule::engine
