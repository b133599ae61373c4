// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <exception>
#include <optional>
#include <utility>

#include "engine/function_ref.hpp"
#include "engine/threads/arithmetic_mode.hpp"
#include "engine/threads/occupancy.hpp"

namespace chainrule::engine {

/// Calls functions of the caller's, such as custom losses, from within the steps of a plan. Only
/// the first thread of a team does, which is the thread that called the engine, while the others
/// wait at the barrier. What a function throws must not leave the team: it is kept, no function is
/// called from then on, and the thread that ran the team throws it behind that.
class FunctionCalls {
 public:
  /// `occupancy` is that of the network that is in use, if one is.
  explicit FunctionCalls(const Occupancy* occupancy) : occupancy_(occupancy) {}

  /// Before a plan's first step: whether there are such functions.
  void expect() { expected_ = true; }
  bool expected() const { return expected_; }

  /// Before a team starts.
  void begin() {
    failed_.store(false, std::memory_order_relaxed);
    error_ = nullptr;
  }

  /// Calls `function`, with the arithmetic that programs are used to; false where it or an earlier
  /// one has thrown.
  bool call(FunctionRef<void()> function) noexcept {
    if (failed()) return false;
    std::optional<Occupancy::CallingBack> within;
    if (occupancy_) within.emplace(*occupancy_);
    const ArithmeticMode mode(Denormals::kept);
    try {
      function();
    } catch (...) {
      error_ = std::current_exception();
      failed_.store(true, std::memory_order_relaxed);
    }
    return !failed();
  }

  /// For all threads behind the barrier that follows a call.
  bool failed() const { return failed_.load(std::memory_order_relaxed); }
  /// Behind the team: throws what a function has thrown.
  void rethrow() {
    if (failed()) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  const Occupancy* occupancy_;
  bool expected_ = false;
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
};

}  // namespace chainrule::engine
