// SPDX-License-Identifier: Apache-2.0
// How the threads of a team share out a step, and when they wait for each other.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/threads/team.hpp"

namespace chainrule::engine {

/// A half-open range of the outputs that one thread owns.
struct Range {
  std::int64_t begin;
  std::int64_t end;

  std::int64_t size() const { return end - begin; }
};

/// Which thread of how many; cuts any number of items into contiguous slices.
struct ThreadSlice {
  int index;
  int count;

  Range range(std::int64_t items) const {
    return {items * index / count, items * (index + 1) / count};
  }

  /// In units of `unit`, so that no two threads write to one cache line or vector.
  Range range(std::int64_t items, std::int64_t unit) const {
    const Range r = range((items + unit - 1) / unit);
    return {std::min(items, r.begin * unit), std::min(items, r.end * unit)};
  }
};

/// What outputs a stage's threads own: rows of the batch, or columns over the whole batch.
/// Stages that own rows follow each other without a barrier.
enum class Partition { rows, columns };

/// One thread's context of a step: waits at the barrier where what comes next may read what other
/// threads own.
class ThreadContext {
 public:
  explicit ThreadContext(Team team) : team_(team) {}

  ThreadSlice slice() const { return {team_.index, team_.size}; }
  bool first_thread() const { return team_.index == 0; }

  /// To be called before outputs are worked out that threads own by `next`.
  void sync_for(Partition next) {
    if (next == Partition::columns || last_ == Partition::columns) team_.barrier.wait();
    last_ = next;
    can_skip_barrier_ = false;
  }

  /// Lets sync_for_columns_if_needed() skip its barrier: what the thread reads after it the thread
  /// has written itself, and what it writes there no other thread still reads.
  void allow_barrier_skip() { can_skip_barrier_ = true; }
  void sync_for_columns_if_needed() {
    if (!can_skip_barrier_) team_.barrier.wait();
    last_ = Partition::columns;
    can_skip_barrier_ = false;
  }

  /// To be called before a batch of another size, whose rows are sliced differently.
  void barrier() {
    team_.barrier.wait();
    last_ = Partition::rows;
  }

 private:
  Team team_;
  Partition last_ = Partition::rows;
  bool can_skip_barrier_ = false;
};

}  // namespace chainrule::engine
