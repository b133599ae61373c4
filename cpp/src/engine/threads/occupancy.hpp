// SPDX-License-Identifier: Apache-2.0
// Which calls may use a network or trainer at the same time.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/function_ref.hpp"

namespace chainrule::engine {

/// Counts the calls that read an object, and knows the one that changes it. Calls that read go on
/// side by side; one that changes waits for those that are under way, and until it has ended all
/// others are refused with a StateError. In a forked child the object is free: the threads
/// whose calls were under way are the parent's.
class Occupancy {
 public:
  /// `refusal` is the text of the StateError.
  explicit Occupancy(const char* refusal) : refusal_(refusal) {}
  Occupancy(const Occupancy&) = delete;
  Occupancy& operator=(const Occupancy&) = delete;

  /// `recover` is called before the first use in a forked child of an object whose change was under
  /// way. What these two return is for the call's end.
  std::uint64_t begin_reading(FunctionRef<void()> recover) {
    const std::uint64_t process = present();
    const std::uint64_t before = word_.fetch_add(1, std::memory_order_acquire);
    if ((before & ~readers) != process) begin_reading_late(before, recover);
    return process;
  }
  std::uint64_t begin_changing(FunctionRef<void()> recover);

  void end_reading(std::uint64_t process) noexcept {
    if (process != present()) return;
    const std::uint64_t before = word_.fetch_sub(1, std::memory_order_release);
    if ((before & changing) != 0) word_.notify_all();
  }
  void end_changing(std::uint64_t process) noexcept {
    if (process == present()) word_.fetch_and(~changing, std::memory_order_release);
  }

  /// Records that this thread runs the caller's code from within a call that uses the object. What
  /// that code calls must neither wait for the call that it is part of nor, in a child that it
  /// forks, take the object for unused.
  class CallingBack {
   public:
    explicit CallingBack(const Occupancy& occupancy) noexcept;
    ~CallingBack();
    CallingBack(const CallingBack&) = delete;
    CallingBack& operator=(const CallingBack&) = delete;

   private:
    friend class Occupancy;
    const Occupancy& occupancy_;
    const CallingBack* const outer_;
  };

 private:
  friend struct ForkCounter;
  static constexpr std::uint64_t changing = std::uint64_t{1} << 31;
  static constexpr std::uint64_t readers = changing - 1;

  /// The number of this process, counted in forks, in the upper half.
  static std::uint64_t present() { return forks_.load(std::memory_order_relaxed) << 32; }
  static std::uint64_t process_of(std::uint64_t word) { return word >> 32 << 32; }
  void begin_reading_late(std::uint64_t before, FunctionRef<void()> recover);
  void adopt(FunctionRef<void()> recover);
  bool called_from_within() const noexcept;
  [[noreturn]] void refuse() const;

  static std::atomic<std::uint64_t> forks_;
  const char* const refusal_;
  std::atomic<std::uint64_t> word_{present()};  // process, changing, number of readers
};

/// Held for the length of one call that reads what `state` holds.
template <class State>
class Reading {
 public:
  explicit Reading(State& state)
      : occupancy_(state.occupancy),
        process_(occupancy_.begin_reading([&state] { state.recover(); })) {}
  ~Reading() { occupancy_.end_reading(process_); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

 private:
  Occupancy& occupancy_;
  const std::uint64_t process_;
};

/// Held for the length of one call that changes it.
template <class State>
class Changing {
 public:
  explicit Changing(State& state)
      : occupancy_(state.occupancy),
        process_(occupancy_.begin_changing([&state] { state.recover(); })) {}
  ~Changing() { occupancy_.end_changing(process_); }
  Changing(const Changing&) = delete;
  Changing& operator=(const Changing&) = delete;

 private:
  Occupancy& occupancy_;
  const std::uint64_t process_;
};

}  // namespace chainrule::engine
