// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "engine/threads/waiting.hpp"

namespace chainrule::engine {

/// Has several parts of something be worked on by one thread after the other: each part is handed
/// on by itself, so that while one thread works on it, others work on other parts. Turns at a part
/// count from 0.
class Turns {
 public:
  explicit Turns(int parts) : parts_(static_cast<std::size_t>(parts)) {}

  /// To be called where no thread takes part: the next turns are the first ones.
  void restart() {
    for (Part& part : parts_) part.ended.store(0, std::memory_order_relaxed);
  }

  /// Returns when all turns before this one have ended; what was written in them is visible then.
  void begin(int part, std::uint32_t turn) const {
    const std::atomic<std::uint32_t>& ended = parts_[static_cast<std::size_t>(part)].ended;
    for (std::uint32_t now; (now = ended.load(std::memory_order_acquire)) != turn;)
      wait_while(ended, now);
  }

  void end(int part, std::uint32_t turn) {
    std::atomic<std::uint32_t>& ended = parts_[static_cast<std::size_t>(part)].ended;
    ended.store(turn + 1, std::memory_order_release);
    ended.notify_all();
  }

 private:
  /// On a cache line of its own: the end of a turn must not disturb who waits for another part.
  struct alignas(64) Part {
    std::atomic<std::uint32_t> ended{0};
  };
  std::vector<Part> parts_;
};

}  // namespace chainrule::engine
