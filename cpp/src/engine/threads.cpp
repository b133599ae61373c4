// SPDX-License-Identifier: Apache-2.0
#include "engine/threads.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#if defined(CHAINRULE_THREADS_OPENMP)
#include <omp.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace chainrule::engine {
namespace {

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

/// For its lifetime rounds to nearest, traps nothing, whatever the caller's mode, and flushes
/// denormal inputs and results to zero: they are worthless here and cost a hundred times more.
class ArithmeticMode {
 public:
#if defined(__x86_64__)
  ArithmeticMode() : saved_(_mm_getcsr()) { _mm_setcsr(0x1f80u | 0x8040u); }
  ~ArithmeticMode() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#elif defined(__aarch64__)
  ArithmeticMode() {
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(saved_));
    __asm__ __volatile__("msr fpcr, %0" : : "r"(std::uint64_t{1} << 24));
  }
  ~ArithmeticMode() { __asm__ __volatile__("msr fpcr, %0" : : "r"(saved_)); }

 private:
  std::uint64_t saved_;
#else
  ArithmeticMode() {}
  ~ArithmeticMode() {}
#endif
  ArithmeticMode(const ArithmeticMode&) = delete;
  ArithmeticMode& operator=(const ArithmeticMode&) = delete;
};

void run_member(const std::function<void(Team)>& body, int index, int size, Barrier& barrier) {
  const ArithmeticMode mode;
  body(Team{index, size, barrier});
}

#if !defined(CHAINRULE_THREADS_SERIAL)
void run_on_new_threads(int threads, const std::function<void(Team)>& body) {
  Barrier barrier(threads);
  std::vector<std::thread> others;
  others.reserve(static_cast<std::size_t>(threads - 1));
  for (int i = 1; i < threads; ++i) {
    others.emplace_back([&, i] { run_member(body, i, threads, barrier); });
  }
  run_member(body, 0, threads, barrier);
  for (std::thread& t : others) t.join();
}
#endif

#if defined(CHAINRULE_THREADS_OPENMP)
// libgomp's pool does not survive a fork: its next region would wait for threads that the child
// does not have. Watched from the start, as other libraries in the process share the pool.
std::atomic<bool> pool_lost_in_fork{false};
[[maybe_unused]] const int watching_for_forks = pthread_atfork(
    nullptr, nullptr, [] { pool_lost_in_fork.store(true, std::memory_order_relaxed); });

void run_on_openmp(int threads, const std::function<void(Team)>& body) {
  std::unique_ptr<Barrier> barrier;
#pragma omp parallel num_threads(threads)
  {
#pragma omp single
    barrier = std::make_unique<Barrier>(omp_get_num_threads());
    run_member(body, omp_get_thread_num(), omp_get_num_threads(), *barrier);
  }
}
#endif

int allowed_processors() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

/// The processors' worth of time that the container may use, rounded up; 0 where there is no quota.
int cgroup_quota() {
  double quota = -1.0;
  double period = -1.0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2) {
    std::string text;
    v2 >> text >> period;
    if (text != "max") quota = std::strtod(text.c_str(), nullptr);
  } else {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  return quota > 0.0 && period > 0.0 ? static_cast<int>(std::ceil(quota / period)) : 0;
}

}  // namespace

void Barrier::wait() {
  constexpr int spins = 400;  // 5 to 20 microseconds, as long as this processor's pause makes them
  const int generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  for (int i = 0; i < spins; ++i) {
    if (generation_.load(std::memory_order_acquire) != generation) return;
    relax();
  }
  while (generation_.load(std::memory_order_acquire) == generation) {
    generation_.wait(generation, std::memory_order_acquire);
  }
}

void run_team(int threads, const std::function<void(Team)>& body) {
#if !defined(CHAINRULE_THREADS_SERIAL)
  if (threads > 1) {
#if defined(CHAINRULE_THREADS_OPENMP)
    if (!pool_lost_in_fork.load(std::memory_order_relaxed)) return run_on_openmp(threads, body);
#endif
    return run_on_new_threads(threads, body);
  }
#endif
  (void)threads;
  Barrier barrier(1);
  run_member(body, 0, 1, barrier);
}

int default_threads() {
  if (const char* wish = std::getenv("CHAINRULE_NUM_THREADS")) {
    if (const int n = std::atoi(wish); n >= 1) return n;
  }
  int n = allowed_processors();
  if (const int quota = cgroup_quota(); quota > 0) n = std::min(n, quota);
#if defined(CHAINRULE_THREADS_OPENMP)
  n = omp_in_parallel() ? 1 : std::min(n, omp_get_max_threads());
#elif defined(CHAINRULE_THREADS_SERIAL)
  n = 1;
#endif
  return std::max(1, n);
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
