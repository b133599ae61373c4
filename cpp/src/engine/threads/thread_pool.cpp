// SPDX-License-Identifier: Apache-2.0
// A call of a pool is one increment of a counter for each of its threads, which wait for it by
// spinning first; nothing is queued or allocated. A caller borrows a whole pool for each team, so
// the teams of different callers never share threads.
#include "engine/threads/thread_pool.hpp"

#include <algorithm>
#include <mutex>
#include <new>
#include <system_error>

#include "engine/threads/waiting.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace chainrule::engine {

/// The pools that no caller uses just now.
class IdlePools {
 public:
  std::unique_ptr<ThreadPool> take() {
    const std::lock_guard lock(mutex_);
    if (!first_) return std::make_unique<ThreadPool>();
    std::unique_ptr<ThreadPool> pool = std::move(first_);
    first_ = std::move(pool->next_);
    return pool;
  }

  /// Allocates nothing.
  void put(std::unique_ptr<ThreadPool> pool) {
    const std::lock_guard lock(mutex_);
    pool->next_ = std::move(first_);
    first_ = std::move(pool);
  }

  void end() {
    const std::lock_guard lock(mutex_);
    while (first_) first_ = std::move(first_->next_);
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<ThreadPool> first_;
};

namespace {

/// Never freed, since threads may train while the process exits. In a forked child it is null
/// again, where the mutex may have been locked by a thread that is gone.
std::atomic<IdlePools*> idle_pools{nullptr};

IdlePools& get_idle_pools() {
  IdlePools* pools = idle_pools.load(std::memory_order_acquire);
  if (pools) return *pools;
  auto fresh = std::make_unique<IdlePools>();
  const bool first =
      idle_pools.compare_exchange_strong(pools, fresh.get(), std::memory_order_acq_rel);
  return first ? *fresh.release() : *pools;
}

#if defined(__unix__) || defined(__APPLE__)
[[maybe_unused]] const int pool_watches_forks =
    pthread_atfork(nullptr, nullptr, [] { idle_pools.store(nullptr, std::memory_order_release); });
#endif

#if !defined(_WIN32)
/// Idle threads must not outlive the code that they run, should it be unloaded. On Windows they
/// could not end then: they would need the loader's lock, which the unloading thread holds.
struct EndOfIdlePools {
  ~EndOfIdlePools() {
    if (IdlePools* pools = idle_pools.load(std::memory_order_acquire)) pools->end();
  }
} end_of_idle_pools;
#endif

}  // namespace

std::unique_ptr<ThreadPool> ThreadPool::borrow() noexcept {
  try {
    return get_idle_pools().take();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void ThreadPool::give_back(std::unique_ptr<ThreadPool> pool) noexcept {
  if (!pool) return;
  IdlePools* pools = idle_pools.load(std::memory_order_acquire);
  // Null in a child that was forked while the pool was in use: its threads are not there to end.
  if (pools) {
    pools->put(std::move(pool));
  } else {
    (void)pool.release();
  }
}

ThreadPool::~ThreadPool() {
  task_ = nullptr;
  for (const auto& worker : workers_) worker->wake();
  for (const auto& worker : workers_) worker->thread.join();
}

// Threads are made once and kept. Where the system refuses one, the team is smaller: no result
// depends on its size.
int ThreadPool::grow(int wanted) {
  try {
    while (static_cast<int>(workers_.size()) < wanted) {
      const int index = static_cast<int>(workers_.size()) + 1;
      workers_.reserve(static_cast<std::size_t>(index));
      auto worker = std::make_unique<Worker>();
      worker->thread = std::thread([this, w = worker.get(), index] { serve(*w, index); });
      workers_.push_back(std::move(worker));
    }
  } catch (const std::system_error&) {
    // The system gives no more threads; no result depends on their number.
  } catch (const std::bad_alloc&) {
    // Nor room for them.
  }
  return std::min(wanted, static_cast<int>(workers_.size()));
}

// The caller takes part as member 0. The release of wake() hands `task_` to the workers, and the
// acquire of `unfinished_` what they have written back to the caller.
void ThreadPool::run(int count, FunctionRef<void(int index)> task) {
  task_ = &task;
  unfinished_.store(static_cast<std::uint32_t>(count - 1), std::memory_order_relaxed);
  for (int i = 1; i < count; ++i) workers_[static_cast<std::size_t>(i - 1)]->wake();
  task(0);
  for (std::uint32_t left; (left = unfinished_.load(std::memory_order_acquire)) != 0;)
    wait_while(unfinished_, left);
}

void ThreadPool::Worker::wake() {
  calls.fetch_add(1, std::memory_order_release);
  calls.notify_one();
}

void ThreadPool::serve(const Worker& worker, int index) {
  for (std::uint32_t call = 0;; ++call) {
    wait_while(worker.calls, call);
    if (!task_) return;
    (*task_)(index);
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
  }
}

}  // namespace chainrule::engine
