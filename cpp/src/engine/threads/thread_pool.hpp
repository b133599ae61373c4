// SPDX-License-Identifier: Apache-2.0
// Threads that wait for the next call instead of being created for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "engine/function_ref.hpp"

namespace chainrule::engine {

class IdlePools;

/// The threads of one caller at a time. They sleep when there has been no call for a while.
class ThreadPool {
 public:
  ThreadPool() = default;
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// A pool that no other caller uses, null where there is no memory for one, and its return. A
  /// forked child, where the threads are gone, starts with new pools.
  static std::unique_ptr<ThreadPool> borrow() noexcept;
  static void give_back(std::unique_ptr<ThreadPool> pool) noexcept;

  /// Sees to it that there are `wanted` threads; returns how many of them the system gave.
  int grow(int wanted);

  /// Calls task(0) on this thread and task(1) .. task(count - 1) on threads of the pool, all at
  /// once. The task must not throw.
  void run(int count, FunctionRef<void(int index)> task);

 private:
  friend class IdlePools;

  struct alignas(64) Worker {
    std::atomic<std::uint32_t> calls{0};
    std::thread thread;

    void wake();
  };

  void serve(const Worker& worker, int index);

  std::vector<std::unique_ptr<Worker>> workers_;
  const FunctionRef<void(int)>* task_ = nullptr;  // null: the threads end
  std::unique_ptr<ThreadPool> next_;              // of the idle ones
  alignas(64) std::atomic<std::uint32_t> unfinished_{0};
};

}  // namespace chainrule::engine
