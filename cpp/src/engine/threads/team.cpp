// SPDX-License-Identifier: Apache-2.0
#include "engine/threads/team.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

#include "engine/threads/arithmetic_mode.hpp"
#include "engine/threads/core_shortage.hpp"
#include "engine/threads/processors.hpp"
#include "engine/threads/threading_layer.hpp"

#if defined(CHAINRULE_HAS_OPENMP)
#include "engine/threads/openmp_team.hpp"
#endif
#if defined(CHAINRULE_HAS_POOL)
#include "engine/threads/thread_pool.hpp"
#endif

namespace chainrule::engine {
namespace {

/// The caller as a team of one, with a barrier of its own.
void run_alone(FunctionRef<void(Team)> body) {
  Barrier barrier(1);
  const ArithmeticMode mode;
  body(Team{0, 1, barrier});
}

#if defined(CHAINRULE_HAS_POOL)
/// What the members of one team share.
struct Job {
  FunctionRef<void(Team)> body;
  bool measured;
  Barrier barrier{1};
  std::atomic<std::int64_t> waited{0};  // for cores, in nanoseconds, of all members

  void run_member(int index) {
    const ArithmeticMode mode;
    const Team team{index, barrier.members(), barrier};
    if (!measured) return body(team);
    const std::chrono::nanoseconds before = time_without_processor();
    body(team);
    waited.fetch_add((time_without_processor() - before).count(), std::memory_order_relaxed);
  }
};

struct TeamReport {
  int size;
  std::chrono::nanoseconds waited;
};

void run_on_pool(int threads, Job& job) {
  std::unique_ptr<ThreadPool> pool = ThreadPool::borrow();
  // A team that may be in the middle of an epoch does not fail for want of memory.
  if (pool) {
    job.barrier.set_members(1 + pool->grow(threads - 1));
    pool->run(job.barrier.members(), [&job](int index) { job.run_member(index); });
  } else {
    job.run_member(0);
  }
  ThreadPool::give_back(std::move(pool));
}

/// Runs the body on the layer's threads, at most `threads`, and returns when all are done.
TeamReport run_job(int threads, FunctionRef<void(Team)> body, bool measured) {
  Job job{.body = body, .measured = measured};
  switch (threading_layer()) {
    case ThreadingLayer::pool:
      run_on_pool(threads, job);
      break;
    case ThreadingLayer::openmp:
#if defined(CHAINRULE_HAS_OPENMP)
      run_openmp_team(
          threads, [&job](int size) { job.barrier.set_members(size); },
          [&job](int index) { job.run_member(index); });
      break;
#endif
    case ThreadingLayer::serial:
      job.run_member(0);
      break;
  }
  return {job.barrier.members(),
          std::chrono::nanoseconds(job.waited.load(std::memory_order_relaxed))};
}

// One for the process, whose cores teams of all callers share.
CoreShortage core_shortage;
std::atomic<bool> pieces_are_long{false};
#endif

}  // namespace

void run_team(int threads, FunctionRef<void(Team)> body) {
#if defined(CHAINRULE_HAS_POOL)
  if (threads > 1) {
    run_job(threads, body, false);
    return;
  }
#endif
  (void)threads;
  run_alone(body);
}

void run_piece(int threads, FunctionRef<void(Team)> body) {
#if defined(CHAINRULE_HAS_POOL)
  const auto start = CoreShortage::Clock::now();
  if (threads > 1) threads = core_shortage.limit(threads, start);
  if (threads > 1) {
    // Measuring takes ten microseconds, which a short piece is not worth.
    const bool measured = pieces_are_long.load(std::memory_order_relaxed);
    const TeamReport report = run_job(threads, body, measured);
    const auto end = CoreShortage::Clock::now();
    pieces_are_long.store(end - start > std::chrono::milliseconds(2), std::memory_order_relaxed);
    if (measured) core_shortage.learn(report.size, end - start, report.waited, end);
    return;
  }
#endif
  (void)threads;
  run_alone(body);
}

}  // namespace chainrule::engine
