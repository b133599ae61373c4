// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>

#include "chainrule/network.hpp"
#include "engine/threads/occupancy.hpp"

namespace chainrule::engine {

/// Lets the caller's poll run every so often: often enough for Ctrl-C and a progress bar, too
/// seldom to cost anything. Epochs may be shorter than that, so `last` is kept between them.
class Poller {
 public:
  using Clock = std::chrono::steady_clock;

  Poller(const EpochOptions& options, const Occupancy& occupancy, Clock::time_point& last)
      : options_(options), occupancy_(occupancy), last_(last) {
    if (last_ == Clock::time_point()) last_ = Clock::now();
  }

  /// Whether there is a poll and its time has come; cheap enough for every batch.
  bool due(Clock::time_point now) const {
    return options_.poll && now - last_ >= std::chrono::milliseconds(50);
  }

  /// Calls the poll as the caller's own code: its answer, or true where it throws.
  bool stop(std::int64_t batches, double loss) {
    bool answer = true;
    const Occupancy::CallingBack within(occupancy_);
    try {
      answer = options_.poll(batches, loss);
    } catch (...) {
      error_ = std::current_exception();  // it must not leave the team
    }
    last_ = Clock::now();
    return answer;
  }

  /// Behind the team: throws what the poll has thrown.
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const EpochOptions& options_;
  const Occupancy& occupancy_;
  Clock::time_point& last_;
  std::exception_ptr error_;
};

}  // namespace chainrule::engine
