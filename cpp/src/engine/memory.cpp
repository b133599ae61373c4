// SPDX-License-Identifier: Apache-2.0
#include "engine/memory.hpp"

#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "kernels/table.hpp"

namespace chainrule::engine {
namespace {

constexpr std::size_t kLargePage = std::size_t{2} << 20;

/// `release` must come to the same alignment as `allocate`, hence from the size alone.
constexpr std::align_val_t alignment(std::size_t bytes) {
  return std::align_val_t{bytes < kLargePage ? kernels::kRowAlignmentBytes : kLargePage};
}

}  // namespace

void* allocate(std::size_t bytes) {
  void* memory = ::operator new(bytes, alignment(bytes));
#if defined(__linux__)
  // Only advice: where it is refused, small pages do. The last page would take more than was asked.
  if (bytes >= kLargePage) madvise(memory, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);
#endif
  return memory;
}

void release(void* memory, std::size_t bytes) { ::operator delete(memory, alignment(bytes)); }

}  // namespace chainrule::engine
