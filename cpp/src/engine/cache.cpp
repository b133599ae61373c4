// SPDX-License-Identifier: Apache-2.0
#include "engine/cache.hpp"

#if defined(__linux__)
#include <unistd.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace chainrule::engine {
namespace {

void set_if_known(std::int64_t& size, std::int64_t reported) {
  if (reported > 0) size = reported;
}

#if defined(__APPLE__)
std::int64_t system_value(const char* name) {
  std::int64_t value = 0;
  std::size_t size = sizeof(value);
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}
#endif

/// What the system reports. Where it does not know a size it gives 0 or less, and the default
/// stays.
CacheSizes ask_system() {
  CacheSizes sizes;
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  set_if_known(sizes.l1, sysconf(_SC_LEVEL1_DCACHE_SIZE));
  set_if_known(sizes.l2, sysconf(_SC_LEVEL2_CACHE_SIZE));
#elif defined(__APPLE__)
  set_if_known(sizes.l1, system_value("hw.l1dcachesize"));
  set_if_known(sizes.l2, system_value("hw.l2cachesize"));
#endif
  return sizes;
}

}  // namespace

const CacheSizes& cache_sizes() {
  static const CacheSizes sizes = ask_system();
  return sizes;
}

}  // namespace chainrule::engine
