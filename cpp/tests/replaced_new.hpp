// SPDX-License-Identifier: Apache-2.0
// For programs that replace operator new: how often it was called, and calls of it that fail.
#pragma once

#include <cstdint>

namespace chainrule::testing {

/// How many allocations there have been, by all threads.
std::int64_t allocations();

/// While it lives, the nth allocation from now on (counted from 1) throws std::bad_alloc, and so do
/// all behind it if `lasting`.
class FailingAllocations {
 public:
  explicit FailingAllocations(std::int64_t nth, bool lasting);
  ~FailingAllocations();
  FailingAllocations(const FailingAllocations&) = delete;
  FailingAllocations& operator=(const FailingAllocations&) = delete;

  /// For what a test itself allocates when the work is done.
  static void stop();
  /// Whether any has failed.
  bool happened() const;
};

}  // namespace chainrule::testing
