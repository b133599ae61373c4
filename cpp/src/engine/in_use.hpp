// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "chainrule/error.hpp"

namespace chainrule {

/// Holds a network or trainer for one call; a second thread gets an error instead of a race.
class InUse {
 public:
  explicit InUse(std::atomic_flag& flag,
                 const char* text =
                     "the network is in use by another thread or callback; give "
                     "each thread its own copy")
      : flag_(flag) {
    if (flag_.test_and_set(std::memory_order_acquire)) throw StateError(text);
  }
  ~InUse() { flag_.clear(std::memory_order_release); }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;

 private:
  std::atomic_flag& flag_;
};

}  // namespace chainrule
