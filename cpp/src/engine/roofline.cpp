// SPDX-License-Identifier: Apache-2.0
// What this machine can do at most, to compare kernels and plans with.
#include <chrono>
#include <cstring>

#include "chainrule/error.hpp"
#include "chainrule/network.hpp"
#include "engine/buffer.hpp"
#include "engine/stages/stage.hpp"
#include "engine/threads/team.hpp"
#include "engine/threads/thread_count.hpp"
#include "kernels/dispatch.hpp"

namespace chainrule {
namespace {

using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

/// Work per second of `threads` threads that each do work(thread) over and over, which returns how
/// much it did.
template <class Work>
double rate(double seconds, int threads, Work work) {
  if (!(seconds > 0.0) || seconds > 3600.0)
    throw Error("seconds must lie in (0, 3600], got " + std::to_string(seconds));
  std::vector<double> rates(static_cast<std::size_t>(std::max(1, threads)));
  engine::run_team(threads, [&](engine::Team team) {
    // Each thread looks at its own clock, so that one that was interrupted says so.
    work(team.index);  // wakes the clock up
    team.barrier.wait();
    const SteadyClock::time_point start = SteadyClock::now();
    double done = 0.0;
    double elapsed = 0.0;
    while (elapsed < seconds) {
      done += work(team.index);
      elapsed = seconds_since(start);
    }
    rates[static_cast<std::size_t>(team.index)] = done / elapsed;
  });
  double total = 0.0;
  for (const double r : rates) total += r;
  return total;
}

/// 0 and less stand for the default.
int threads_or_default(int wanted) { return wanted > 0 ? wanted : engine::default_threads(); }

}  // namespace

// Multiply-adds per second of chains in registers: no memory, and as many chains as hide latency.
template <class T>
double fma_peak(double seconds, int num_threads) {
  const kernels::KernelTable<T>& kernels = kernels::active<T>();
  return rate(seconds, threads_or_default(num_threads), [&](int) {
    T value;
    return static_cast<double>(kernels.fma_chains(20'000, &value));
  });
}

// Bytes read and written per second by copies of a buffer for each thread, `bytes` in all: small
// ones tell the speed of a cache, large ones that of memory.
double copy_rate(std::int64_t bytes, double seconds, int num_threads) {
  const int threads = threads_or_default(num_threads);
  const std::int64_t half = std::max<std::int64_t>(64, bytes / 2 / threads);
  std::vector<engine::Buffer<char>> buffers;
  buffers.reserve(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) buffers.emplace_back(2 * half).clear();  // pages of its own
  return rate(seconds, threads, [&](int thread) {
    char* data = buffers[static_cast<std::size_t>(thread)].data();
    std::memcpy(data, data + half, static_cast<std::size_t>(half));
    return static_cast<double>(2 * half);
  });
}

template double fma_peak<float>(double, int);
template double fma_peak<double>(double, int);

}  // namespace chainrule
