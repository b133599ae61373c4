// SPDX-License-Identifier: Apache-2.0
#include "engine/memory.hpp"

#include <cstdint>
#include <cstring>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "kernels/table.hpp"

namespace chainrule::engine {
namespace {

constexpr std::align_val_t kAlignment{kernels::kRowAlignmentBytes};

#if defined(__linux__)
constexpr std::size_t kLargePage = std::size_t{2} << 20;

/// The system maps whole pages of at most this size.
constexpr std::size_t kMostPage = std::size_t{64} << 10;

bool is_mapped(std::size_t bytes) { return bytes >= kLargePage; }

std::size_t mapped_size(std::size_t bytes) {
  return (bytes + kMostPage - 1) / kMostPage * kMostPage;
}

/// Whole pages from the beginning of a large one on.
void* map(std::size_t bytes) {
  const std::size_t size = mapped_size(bytes);
  if (size < bytes || size + kLargePage < size) throw std::bad_alloc();
  void* all =
      mmap(nullptr, size + kLargePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) throw std::bad_alloc();
  char* begin = static_cast<char*>(all);
  const std::size_t before =
      (kLargePage - reinterpret_cast<std::uintptr_t>(begin) % kLargePage) % kLargePage;
  char* memory = begin + before;
  if (before > 0) munmap(begin, before);
  munmap(memory + size, kLargePage - before);
  // Only advice: where it is refused, small pages do. The last page would take more than was asked.
  madvise(memory, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);
  return memory;
}
#endif

}  // namespace

void* allocate(std::size_t bytes) {
#if defined(__linux__)
  if (is_mapped(bytes)) return map(bytes);
#endif
  return std::memset(::operator new(bytes, kAlignment), 0, bytes);
}

void release(void* memory, std::size_t bytes) noexcept {
#if defined(__linux__)
  if (is_mapped(bytes)) {
    munmap(memory, mapped_size(bytes));
    return;
  }
#endif
  ::operator delete(memory, kAlignment);
}

}  // namespace chainrule::engine
