// SPDX-License-Identifier: Apache-2.0
// What fuzz targets ask of a piece of work: that something holds, and the memory that it takes.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>

// GCC's sanitizers come without the header for it.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHAINRULE_COUNT_MEMORY
#endif
#endif
#ifdef CHAINRULE_COUNT_MEMORY
#include <sanitizer/allocator_interface.h>
#endif

namespace chainrule::fuzz {

inline void require(bool holds, const char* text) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", text);
  std::abort();
}

#ifdef CHAINRULE_COUNT_MEMORY
inline std::size_t in_use = 0;
inline std::size_t peak = 0;

inline void on_allocation(const volatile void*, std::size_t size) {
  in_use += size;
  if (in_use > peak) peak = in_use;
}
inline void on_release(const volatile void* pointer) {
  in_use -= __sanitizer_get_allocated_size(pointer);
}

/// The most memory that `work` had allocated at a time.
template <class Work>
std::size_t peak_memory(const Work& work) {
  static const int installed = __sanitizer_install_malloc_and_free_hooks(on_allocation, on_release);
  require(installed != 0, "the sanitizer takes no hooks");
  const std::size_t before = in_use;
  peak = in_use;
  work();
  return peak - before;
}
#else
template <class Work>
std::size_t peak_memory(const Work& work) {
  work();
  return 0;
}
#endif

}  // namespace chainrule::fuzz
