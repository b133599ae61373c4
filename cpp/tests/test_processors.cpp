// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "chainrule/error.hpp"
#include "engine/threads/core_shortage.hpp"
#include "engine/threads/processors.hpp"
#include "engine/threads/thread_count.hpp"
#include "engine/threads/wished_threads.hpp"

#if defined(__linux__)
#include <sched.h>
#endif

namespace {

using namespace chainrule::engine;
using chainrule::Error;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// A made-up root folder.
class Tree {
 public:
  Tree() {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~Tree() { fs::remove_all(root_); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  Tree& write(const std::string& path, const std::string& text) {
    const fs::path file = root_ / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
    return *this;
  }
  int quota() const { return cgroup_quota(root_.string()); }

 private:
  fs::path root_ = fs::temp_directory_path() /
                   ("chainrule-cgroup-" +
                    std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()));
};

const std::string own = "proc/self/cgroup";
const std::string mount = "sys/fs/cgroup/";

}  // namespace

TEST_CASE("a quota of cgroup version 2 is that of the own group or of one above, rounded up") {
  Tree tree;
  tree.write(own, "0::/slice/app\n");
  CHECK(tree.quota() == 0);
  tree.write(mount + "slice/app/cpu.max", "max 100000\n");
  CHECK(tree.quota() == 0);
  tree.write(mount + "slice/app/cpu.max", "350000 100000\n");
  CHECK(tree.quota() == 4);
  tree.write(mount + "slice/cpu.max", "150000 100000\n");
  CHECK(tree.quota() == 2);
  tree.write(mount + "cpu.max", "10000 50000\n");
  CHECK(tree.quota() == 1);
}

TEST_CASE("a container sees its own group as the root, whatever its path says") {
  for (const char* path : {"/", "/docker/0123abcd", "/../../outside", ""}) {
    CAPTURE(path);
    Tree tree;
    tree.write(own, std::string("0::") + path + "\n")
        .write(mount + "cpu.max", "300000 100000\n")
        .write("outside/cpu.max", "100000 100000\n");
    CHECK(tree.quota() == 3);
  }
}

TEST_CASE("a quota of cgroup version 1 is found under either name of its mount") {
  for (const char* folder : {"cpu", "cpu,cpuacct"}) {
    CAPTURE(folder);
    Tree tree;
    tree.write(own, "5:cpuset:/elsewhere\n4:cpu,cpuacct:/app/one\n0::/app/one\n");
    const std::string app = mount + folder + "/app";
    tree.write(app + "/one/cpu.cfs_quota_us", "-1\n")
        .write(app + "/one/cpu.cfs_period_us", "100000\n");
    CHECK(tree.quota() == 0);
    tree.write(app + "/cpu.cfs_quota_us", "250000\n").write(app + "/cpu.cfs_period_us", "100000\n");
    CHECK(tree.quota() == 3);
  }
}

TEST_CASE("both versions at once: the smaller quota counts") {
  Tree tree;
  tree.write(own, "1:cpu:/\n0::/app\n")
      .write(mount + "cpu/cpu.cfs_quota_us", "500000\n")
      .write(mount + "cpu/cpu.cfs_period_us", "100000\n")
      .write(mount + "unified/app/cpu.max", "200000 100000\n");
  CHECK(tree.quota() == 2);
}

TEST_CASE("files that say nothing sensible are no quota") {
  CHECK(Tree().quota() == 0);
  for (const char* text : {"", "max", "100000", "-5 100000", "x y", "100000 0", "1e300 1",
                           "nan 100000", "inf 100000"}) {
    CAPTURE(text);
    Tree tree;
    tree.write(own, "0::/\n").write(mount + "cpu.max", text);
    CHECK(tree.quota() == 0);
  }
  for (const char* text : {"", "\n", "0", "0:", "0::", "cpu", "::::", "1:cpu:relative/path"}) {
    CAPTURE(text);
    Tree tree;
    tree.write(own, text);
    CHECK(tree.quota() == 0);
  }
}

TEST_CASE("OMP_NUM_THREADS is a number or a list of them") {
  CHECK(first_thread_count("3") == 3);
  CHECK(first_thread_count("4,2") == 4);
  CHECK(first_thread_count(" 5 , 1") == 5);
  for (const char* text : {"", "0", "-3", "many", "4x", "4.5", ",2", "99999999999999999999"}) {
    CAPTURE(text);
    CHECK(first_thread_count(text) == 0);
  }
  CHECK(first_thread_count(nullptr) == 0);
}

#if defined(__linux__)
TEST_CASE("CHAINRULE_NUM_THREADS is a number of threads, nothing, or an error") {
  const char* before = std::getenv("CHAINRULE_NUM_THREADS");
  const std::string kept = before == nullptr ? "" : before;
  for (const char* text : {"abc", "0", "-1", "1.5", "4,2", "99999999999999999999"}) {
    CAPTURE(text);
    setenv("CHAINRULE_NUM_THREADS", text, 1);
    CHECK_THROWS_WITH_AS(wished_threads(), doctest::Contains("CHAINRULE_NUM_THREADS is '"), Error);
    CHECK_THROWS_AS(default_threads(), Error);
  }
  setenv("CHAINRULE_NUM_THREADS", "", 1);
  CHECK(wished_threads() == 0);
  setenv("CHAINRULE_NUM_THREADS", "3", 1);
  CHECK(default_threads() == 3);
  setenv("CHAINRULE_NUM_THREADS", kept.c_str(), 1);
}

TEST_CASE("a thread may use the processors of its affinity mask, as it is now") {
  cpu_set_t before;
  REQUIRE(sched_getaffinity(0, sizeof(before), &before) == 0);
  CHECK(allowed_processors() == CPU_COUNT(&before));
  // A thread of its own, so that the mask of the others stays.
  std::thread([&] {
    int first = 0;
    while (!CPU_ISSET(first, &before)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
    CHECK(allowed_processors() == 1);
  }).join();
  CHECK(allowed_processors() == CPU_COUNT(&before));
}
#endif

TEST_CASE("the time without a processor never falls") {
  const auto before = time_without_processor();
  CHECK(before >= 0ns);
  std::this_thread::sleep_for(1ms);
  CHECK(time_without_processor() >= before);
}

TEST_CASE("members without cores are left out until it is time to try again") {
  const CoreShortage::Clock::time_point start{1h};
  CoreShortage shortage;
  CHECK(shortage.limit(8, start) == 8);
  shortage.learn(8, 20ms, 5ms, start);
  CHECK(shortage.limit(8, start) == 8);
  shortage.learn(8, 20ms, 50ms, start);  // two and a half of them waited
  CHECK(shortage.limit(8, start) == 5);
  CHECK(shortage.limit(3, start) == 3);
  CHECK(shortage.limit(8, start + 99ms) == 5);
  CHECK(shortage.limit(8, start + 100ms) == 8);
}

TEST_CASE("while the shortage lasts it is tried ever more seldom, at least every two seconds") {
  CoreShortage::Clock::time_point now{1h};
  CoreShortage shortage;
  for (const auto pause : {100ms, 200ms, 400ms, 800ms, 1600ms, 2000ms, 2000ms}) {
    shortage.learn(2, 20ms, 15ms, now);
    CHECK(shortage.limit(2, now + pause - 1ms) == 1);
    CHECK(shortage.limit(2, now + pause) == 2);
    now += pause;
  }
  shortage.learn(2, 20ms, 0ms, now);
  CHECK(shortage.limit(2, now) == 2);
  shortage.learn(2, 20ms, 15ms, now);
  CHECK(shortage.limit(2, now + 99ms) == 1);
  CHECK(shortage.limit(2, now + 100ms) == 2);
}

TEST_CASE("a smaller team that still waits shrinks further, and one thread always remains") {
  const CoreShortage::Clock::time_point start{1h};
  CoreShortage shortage;
  shortage.learn(8, 20ms, 70ms, start);
  CHECK(shortage.limit(8, start) == 4);
  shortage.learn(4, 20ms, 0ms, start);  // room enough for four is no room for eight
  CHECK(shortage.limit(8, start) == 4);
  shortage.learn(4, 20ms, 8ms, start);
  CHECK(shortage.limit(8, start) == 3);
  shortage.learn(3, 20ms, 1h, start);
  CHECK(shortage.limit(8, start) == 1);
  shortage.learn(2, 0ms, 1ms, start);
  CHECK(shortage.limit(8, start) == 1);
}
