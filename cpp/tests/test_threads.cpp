// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engine/threads/barrier.hpp"
#include "engine/threads/team.hpp"
#include "engine/threads/thread_count.hpp"
#include "engine/threads/ticket_locks.hpp"
#include "networks.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/resource.h>

#include "forked_child.hpp"
#endif

namespace {

using namespace chainrule;
using namespace chainrule::engine;
using namespace chainrule::testing;

int more_than_cores() { return 4 * static_cast<int>(std::thread::hardware_concurrency()) + 1; }

/// Rounds in which every member writes its own number and, after the barrier, reads all others'.
int64_t count_early(Barrier& barrier, std::vector<int>& round_of, size_t index, int rounds) {
  int64_t early = 0;
  for (int round = 1; round <= rounds; ++round) {
    round_of[index] = round;
    barrier.wait();
    for (const int other : round_of) early += other != round;
    barrier.wait();
  }
  return early;
}

/// An environment variable for the length of a scope.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    ::setenv(name, value, 1);
  }
  ~Environment() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

bool denormals_are_kept() {
  volatile float tiny = std::numeric_limits<float>::min();
  tiny = tiny / 4;
  return tiny > 0.0f;
}

/// The mode that kernels compute in; std::fegetround may speak of another unit's.
bool rounds_up() {
  volatile float sum = 1.0f;
  sum = sum + 0x1p-30f;
  return sum > 1.0f;
}

Snapshot<float> trained(int threads) {
  const DataSet data(64, 37, 5);
  Network<float> network({dense(203, Activation::Kind::relu), dense(211), dense(5)}, 37, 3);
  EpochOptions o;
  o.num_threads = threads;
  network.run_epoch(data.inputs_view(), data.by_label(), Loss::defaults(Loss::Kind::cross_entropy),
                    optimizer(Optimizer::Kind::adam, 0.01), o);
  return Snapshot<float>(network);
}

}  // namespace

TEST_CASE("no thread passes a barrier before all have come, with more threads than cores") {
  const auto members = static_cast<size_t>(more_than_cores());
  Barrier barrier(static_cast<int>(members));
  std::vector<int> round_of(members);
  std::atomic<int64_t> early{0};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < members; ++i)
    threads.emplace_back([&, i] { early += count_early(barrier, round_of, i, 200); });
  for (std::thread& thread : threads) thread.join();
  CHECK(early == 0);
}

TEST_CASE("a team has one member per index, the caller first, and one barrier") {
  for (const int wanted : {1, 2, 3, more_than_cores()}) {
    CAPTURE(wanted);
    std::vector<int> round_of(static_cast<size_t>(wanted));
    std::vector<std::atomic<int>> calls(round_of.size());
    std::atomic<int64_t> early{0};
    std::atomic<int> size{0};
    std::thread::id first;
    run_team(wanted, [&](Team team) {
      ++calls[static_cast<size_t>(team.index)];
      size = team.size;
      if (team.index == 0) {
        round_of.resize(static_cast<size_t>(team.size));
        first = std::this_thread::get_id();
      }
      team.barrier.wait();
      early += count_early(team.barrier, round_of, static_cast<size_t>(team.index), 100);
    });
    CHECK(early == 0);
    CHECK(size >= 1);
    CHECK(size <= wanted);
    CHECK(first == std::this_thread::get_id());
    for (int i = 0; i < wanted; ++i) CHECK(calls[static_cast<size_t>(i)] == (i < size ? 1 : 0));
    if (wanted > 1 && chainrule::threading_layer() != "serial") CHECK(size > 1);
  }
}

TEST_CASE("parts go from thread to thread in their order, with more threads than cores") {
  const int most = more_than_cores();
  constexpr int kParts = 3, kRounds = 200;
  TicketLocks locks(kParts);
  for (int attempt = 0; attempt < 2; ++attempt) {
    locks.restart();
    std::vector<std::vector<int>> visitors(kParts);
    int size = 0;
    run_team(most, [&](Team team) {
      if (team.index == 0) size = team.size;
      for (int round = 0; round < kRounds; ++round) {
        const auto ticket = static_cast<std::uint32_t>(round * team.size + team.index);
        for (int part = 0; part < kParts; ++part) {
          locks.acquire(part, ticket);
          visitors[static_cast<size_t>(part)].push_back(team.index);
          locks.release(part, ticket);
        }
      }
    });
    int64_t misplaced = 0;
    for (const std::vector<int>& each : visitors) {
      CHECK(each.size() == static_cast<size_t>(kRounds * size));
      for (size_t i = 0; i < each.size(); ++i) misplaced += each[i] != static_cast<int>(i) % size;
    }
    CHECK(misplaced == 0);
  }
}

TEST_CASE("a team flushes denormals and rounds to nearest, its caller goes on as before") {
  REQUIRE(denormals_are_kept());
  const Snapshot<float> expected = trained(1);
  for (const int rounding : {FE_TONEAREST, FE_UPWARD}) {
    std::fesetround(rounding);
    std::atomic<int> kept{0}, upwards{0};
    run_team(3, [&](Team) {
      kept += denormals_are_kept();
      upwards += rounds_up();
    });
    const bool up_after = rounds_up();
    std::fesetround(FE_TONEAREST);
    CHECK(up_after == (rounding == FE_UPWARD));
    CHECK(kept == 0);
    CHECK(upwards == 0);
    CHECK(denormals_are_kept());
  }
  CHECK(trained(3) == expected);
}

TEST_CASE("long work keeps its bits while the team changes its size") {
#if defined(CHAINRULE_TEST_QUICK)
  const DataSet data(2000, 37, 5);
#else
  const DataSet data(20'000, 37, 5);
#endif
  const auto train = [&](int threads) {
    Network<float> network({dense(203, Activation::Kind::relu), dense(211), dense(5)}, 37, 3);
    EpochOptions o;
    o.num_threads = threads;
    return after_epochs(network, data, cross_entropy(), optimizer(Optimizer::Kind::adam, 1e-3), 2,
                        o);
  };
  const Snapshot<float> expected = train(1);
  for (const int threads : {2, more_than_cores()}) CHECK(train(threads) == expected);
}

TEST_CASE("pieces run every member of their team once, long or short, one or many threads") {
  for (const int wanted : {1, 2, more_than_cores()}) {
    for (int repeat = 0; repeat < 4; ++repeat) {
      std::atomic<int> calls{0}, size{0};
      run_piece(wanted, [&](Team team) {
        ++calls;
        size = team.size;
        team.barrier.wait();
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
      });
      CHECK(calls == size);
      CHECK(size >= 1);
      CHECK(size <= wanted);
    }
  }
}

TEST_CASE("idle threads burn nothing") {
  if (chainrule::threading_layer() == "openmp") return;  // its runtime decides how long to spin
  run_team(3, [](Team team) { team.barrier.wait(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC < 0.02);
}

TEST_CASE("the environment sets the number of threads") {
  {
    const Environment five("CHAINRULE_NUM_THREADS", "5");
    const int expected = chainrule::threading_layer() == "serial" ? 1 : 5;
    CHECK(default_threads() == expected);
    CHECK(default_num_threads() == expected);
  }
  {
    const Environment nothing("CHAINRULE_NUM_THREADS", "");
    CHECK(default_threads() >= 1);
    CHECK(default_threads() <= static_cast<int>(std::thread::hardware_concurrency()));
  }
  for (const char* nonsense : {"0", "-3", "many", "5 threads"}) {
    CAPTURE(nonsense);
    const Environment wish("CHAINRULE_NUM_THREADS", nonsense);
    CHECK_THROWS_AS(default_threads(), Error);
  }
}

TEST_CASE("the layer that the environment names runs teams, and gives the bits of one thread") {
  const char* wanted = std::getenv("CHAINRULE_THREADING_LAYER");
  const std::vector<std::string> built = threading_layers();
  CHECK(chainrule::threading_layer() == (wanted ? wanted : built.front()));
  CHECK(std::find(built.begin(), built.end(), "serial") != built.end());
  const Snapshot<float> expected = trained(1);
  for (const int threads : {2, 3, 5}) CHECK(trained(threads) == expected);
  std::atomic<int> members{0};
  run_team(3, [&](Team) { ++members; });
  CHECK((members > 1) == (chainrule::threading_layer() != "serial"));
}

TEST_CASE("two threads train two networks at once") {
  const Snapshot<float> expected = trained(1);
  std::atomic<int> same{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < 5; ++repeat) same += trained(2) == expected;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(same == 10);
}

// The thread sanitizer does not let a fork of a threaded process start threads, and qemu cannot.
#if (defined(__unix__) || defined(__APPLE__)) && !defined(CHAINRULE_TEST_TSAN) && \
    !defined(CHAINRULE_TEST_EMULATED)
TEST_CASE("a child that was forked after use trains on threads too") {
  const Snapshot<float> expected = trained(2);
  CHECK(in_child([&] { return trained(2) == expected; }));
  CHECK(trained(2) == expected);
}

// A child of the address sanitizer may get its allocator locked by a thread that it does not have.
#if !defined(CHAINRULE_TEST_ASAN)
TEST_CASE("children that are forked while another thread trains do not hang") {
  const Snapshot<float> expected = trained(2);
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) trained(2);
  });
  int good = 0;
  for (int i = 0; i < 5; ++i) good += in_child([&] { return trained(2) == expected; });
  done = true;
  other.join();
  CHECK(good == 5);
}
#endif

// The address sanitizer needs more address space than that.
#if defined(__linux__) && !defined(CHAINRULE_TEST_ASAN)
TEST_CASE("a system that gives no more threads makes the team smaller") {
  const Snapshot<float> expected = trained(1);
  CHECK(in_child([&] {
    const rlimit none{1 << 16, 1 << 16};
    if (::setrlimit(RLIMIT_AS, &none) != 0) return false;
    std::atomic<int> calls{0}, size{0};
    run_team(100, [&](Team team) {
      ++calls;
      size = team.size;
      team.barrier.wait();
    });
    return calls == size && size < 100;
  }));
  CHECK(trained(3) == expected);
}
#endif
#endif
