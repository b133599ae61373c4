// SPDX-License-Identifier: Apache-2.0
// One word holds the number of readers, whether there is a change, and which process the word is
// of: the count of forks. A child finds the word of its parent, whose other threads it does not
// have.
#include "engine/threads/occupancy.hpp"

#include "chainrule/error.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace chainrule::engine {

std::atomic<std::uint64_t> Occupancy::forks_{0};

struct ForkCounter {
  static void count() { Occupancy::forks_.fetch_add(1, std::memory_order_relaxed); }
};

namespace {

#if defined(__unix__) || defined(__APPLE__)
[[maybe_unused]] const int occupancy_watches_forks =
    pthread_atfork(nullptr, nullptr, ForkCounter::count);
#endif

thread_local const Occupancy::CallingBack* innermost = nullptr;

}  // namespace

Occupancy::CallingBack::CallingBack(const Occupancy& occupancy) noexcept
    : occupancy_(occupancy), outer_(innermost) {
  innermost = this;
}

Occupancy::CallingBack::~CallingBack() { innermost = outer_; }

bool Occupancy::called_from_within() const noexcept {
  for (const CallingBack* call = innermost; call; call = call->outer_) {
    if (&call->occupancy_ == this) return true;
  }
  return false;
}

void Occupancy::refuse() const { throw StateError(refusal_); }

// A change is announced first, so that no reader comes after it, and then waits for those under
// way. A second change is refused at once. So is one from within a callback of a reader, which
// would wait for itself.
std::uint64_t Occupancy::begin_changing(FunctionRef<void()> recover) {
  std::uint64_t word = word_.load(std::memory_order_relaxed);
  do {
    if (process_of(word) != present()) {
      adopt(recover);
      word = word_.load(std::memory_order_relaxed);
    }
    if ((word & changing) != 0) refuse();
  } while (!word_.compare_exchange_weak(word, word | changing, std::memory_order_acquire,
                                        std::memory_order_relaxed));
  if ((word & readers) != 0 && called_from_within()) {
    end_changing(present());
    refuse();
  }
  while (((word = word_.load(std::memory_order_acquire)) & readers) != 0)
    word_.wait(word, std::memory_order_acquire);
  return present();
}

void Occupancy::begin_reading_late(std::uint64_t before, FunctionRef<void()> recover) {
  // What was added to the word of another process is gone when this one adopts it.
  while (process_of(before) != present()) {
    adopt(recover);
    before = word_.fetch_add(1, std::memory_order_acquire);
  }
  if ((before & changing) == 0) return;
  end_reading(present());
  refuse();
}

/// Makes the word one of this process.
void Occupancy::adopt(FunctionRef<void()> recover) {
  std::uint64_t word = word_.load(std::memory_order_relaxed);
  while (process_of(word) != present()) {
    if (called_from_within()) refuse();
    if (!word_.compare_exchange_weak(word, present() | changing, std::memory_order_acquire,
                                     std::memory_order_relaxed))
      continue;
    try {
      if ((word & changing) != 0) recover();
    } catch (...) {
      word_.fetch_sub(present() - process_of(word), std::memory_order_release);
      throw;
    }
    word_.fetch_and(~changing, std::memory_order_release);
    return;
  }
}

}  // namespace chainrule::engine
