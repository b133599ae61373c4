// SPDX-License-Identifier: Apache-2.0
#include "engine/threads/processors.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <thread>

#if defined(__linux__)
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#endif

namespace chainrule::engine {
namespace {

/// Keeps the smallest ratio of quota to period; "max" and -1 stand for none.
class Quota {
 public:
  void add(const std::string& quota, double period) {
    const double time = std::strtod(quota.c_str(), nullptr);
    if (time > 0.0 && period > 0.0) least_ = std::min(least_, time / period);
  }
  int processors() const {
    return least_ < std::numeric_limits<int>::max() ? static_cast<int>(std::ceil(least_)) : 0;
  }

 private:
  double least_ = std::numeric_limits<double>::infinity();
};

/// cpu.max has "quota period", in microseconds.
void read_version_2(const std::string& folder, Quota& quota) {
  std::ifstream file(folder + "/cpu.max");
  std::string text;
  double period = 0.0;
  if (file >> text >> period) quota.add(text, period);
}

/// A quota of -1 is none.
void read_version_1(const std::string& folder, Quota& quota) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us");
  std::ifstream period_file(folder + "/cpu.cfs_period_us");
  std::string text;
  double period = 0.0;
  if (quota_file >> text && period_file >> period) quota.add(text, period);
}

/// Reads a cgroup and all above it, up to where its hierarchy is mounted. Folders that a container
/// does not see are passed over.
void read_upwards(const std::string& mount, std::string path,
                  void (*read)(const std::string& folder, Quota& quota), Quota& quota) {
  if (path.find("/..") != std::string::npos) path.clear();  // above what a container sees
  while (path.size() > 1 && path.front() == '/') {
    read(mount + path, quota);
    path.erase(path.rfind('/'));
  }
  read(mount, quota);
}

bool contains_cpu(const std::string& controllers) {
  return ("," + controllers + ",").find(",cpu,") != std::string::npos;
}

}  // namespace

int allowed_processors() {
#if defined(__linux__)
  // The kernel refuses a mask shorter than its own, whose length it does not tell.
  for (int size = CPU_SETSIZE; size <= CPU_SETSIZE << 10; size *= 2) {
    cpu_set_t* set = CPU_ALLOC(size);
    if (!set) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(size);
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    const bool too_short = !known && errno == EINVAL;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
    if (!too_short) break;
  }
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int cgroup_quota(const std::string& root) {
  Quota quota;
  std::ifstream own(root + "/proc/self/cgroup");
  const std::string groups = root + "/sys/fs/cgroup";
  const std::string mounts = groups + "/";
  // Each line is "number:controllers:path"; version 2 has no controllers.
  for (std::string line; std::getline(own, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      read_upwards(groups, path, read_version_2, quota);
      read_upwards(mounts + "unified", path, read_version_2, quota);
    } else if (contains_cpu(controllers)) {
      read_upwards(mounts + "cpu", path, read_version_1, quota);
      read_upwards(mounts + controllers, path, read_version_1, quota);
    }
  }
  return quota.processors();
}

std::chrono::nanoseconds time_without_processor() {
  long long waited = 0;
#if defined(__linux__)
  // Time on a processor, time waiting for one, number of time slices.
  const int file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    char text[96];
    const ssize_t length = read(file, text, sizeof(text) - 1);
    close(file);
    text[std::max<ssize_t>(length, 0)] = '\0';
    if (std::sscanf(text, "%*d %lld", &waited) != 1) waited = 0;
  }
#endif
  return std::chrono::nanoseconds(waited);
}

}  // namespace chainrule::engine
