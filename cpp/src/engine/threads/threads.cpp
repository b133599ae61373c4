// SPDX-License-Identifier: Apache-2.0
#include "engine/threads/threads.hpp"

#include <algorithm>
#include <cstdlib>

#include "chainrule/network.hpp"
#include "engine/threads/arithmetic_mode.hpp"
#include "engine/threads/processors.hpp"
#include "engine/threads/waiting.hpp"
#include "engine/threads/wished_threads.hpp"

#if defined(CHAINRULE_THREADS_OPENMP)
#include <omp.h>
#endif
#if !defined(CHAINRULE_THREADS_SERIAL)
#include "engine/threads/thread_pool.hpp"
#endif

namespace chainrule::engine {
namespace {

void run_alone(FunctionRef<void(Team)> body) {
  Barrier barrier(1);
  const ArithmeticMode mode;
  body(Team{0, 1, barrier});
}

#if !defined(CHAINRULE_THREADS_SERIAL)
/// What the members of one team share.
struct Job {
  FunctionRef<void(Team)> body;
  int size;
  bool measured;
  Barrier barrier{size};
  std::atomic<std::int64_t> waited{0};  // for cores, in nanoseconds, of all members

  void run_member(int index) {
    const ArithmeticMode mode;
    if (!measured) return body(Team{index, size, barrier});
    const std::chrono::nanoseconds before = time_without_processor();
    body(Team{index, size, barrier});
    waited.fetch_add((time_without_processor() - before).count(), std::memory_order_relaxed);
  }
};

struct TeamReport {
  int size;
  std::chrono::nanoseconds waited;
};

TeamReport run_on_pool(int threads, FunctionRef<void(Team)> body, bool measured) {
  std::unique_ptr<ThreadPool> pool = ThreadPool::borrow();
  // A team that may be in the middle of an epoch does not fail for want of memory.
  Job job{.body = body, .size = pool ? 1 + pool->grow(threads - 1) : 1, .measured = measured};
  if (pool) {
    pool->run(job.size, [&job](int index) { job.run_member(index); });
  } else {
    job.run_member(0);
  }
  ThreadPool::give_back(std::move(pool));
  return {job.size, std::chrono::nanoseconds(job.waited.load(std::memory_order_relaxed))};
}

CoreShortage core_shortage;
std::atomic<bool> pieces_are_long{false};
#endif

}  // namespace

void Barrier::wait() {
  const std::uint32_t generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  wait_while(generation_, generation);
}

void run_team(int threads, FunctionRef<void(Team)> body) {
#if !defined(CHAINRULE_THREADS_SERIAL)
  if (threads > 1) {
    run_on_pool(threads, body, false);
    return;
  }
#endif
  (void)threads;
  run_alone(body);
}

void run_piece(int threads, FunctionRef<void(Team)> body) {
#if !defined(CHAINRULE_THREADS_SERIAL)
  const auto start = CoreShortage::Clock::now();
  if (threads > 1) threads = core_shortage.limit(threads, start);
  if (threads > 1) {
    // Measuring takes ten microseconds, which a short piece is not worth.
    const bool measured = pieces_are_long.load(std::memory_order_relaxed);
    const TeamReport report = run_on_pool(threads, body, measured);
    const auto end = CoreShortage::Clock::now();
    pieces_are_long.store(end - start > std::chrono::milliseconds(2), std::memory_order_relaxed);
    if (measured) core_shortage.learn(report.size, end - start, report.waited, end);
    return;
  }
#endif
  (void)threads;
  run_alone(body);
}

int default_threads() {
  if (const int wish = wished_threads(); wish > 0) return wish;
#if defined(CHAINRULE_THREADS_SERIAL)
  return 1;
#else
  // The affinity may change while the program runs; files are not read in every call.
  static const int quota = cgroup_quota();
  int n = allowed_processors();
  if (quota > 0) n = std::min(n, quota);
#if defined(CHAINRULE_THREADS_OPENMP)
  // OpenMP knows OMP_NUM_THREADS, and what omp_set_num_threads or threadpoolctl have set since.
  return omp_in_parallel() ? 1 : std::clamp(omp_get_max_threads(), 1, n);
#else
  const int wish = first_thread_count(std::getenv("OMP_NUM_THREADS"));
  return wish > 0 ? std::min(n, wish) : n;
#endif
#endif
}

int worthwhile_threads(double multiply_adds, std::int64_t rows) {
  constexpr double per_thread = 2e5;  // a few microseconds of work, what a pair of barriers costs
  constexpr double most = 1 << 10;
  return static_cast<int>(
      std::clamp(multiply_adds * static_cast<double>(rows) / per_thread, 1.0, most));
}

int threads_for(double multiply_adds, std::int64_t rows, int wanted) {
  const int worthwhile = worthwhile_threads(multiply_adds, rows);
  if (worthwhile == 1) return 1;
  return std::min(worthwhile, wanted > 0 ? wanted : default_threads());
}

const char* thread_backend() {
#if defined(CHAINRULE_THREADS_OPENMP)
  return "openmp";
#elif defined(CHAINRULE_THREADS_STDTHREAD)
  return "stdthread";
#else
  return "serial";
#endif
}

}  // namespace chainrule::engine

namespace chainrule {

int default_num_threads() { return engine::default_threads(); }

std::string thread_backend() { return engine::thread_backend(); }

}  // namespace chainrule
