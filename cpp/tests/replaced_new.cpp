// SPDX-License-Identifier: Apache-2.0
#include "replaced_new.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>

namespace chainrule::testing {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

std::atomic<std::int64_t> count{0};
std::atomic<std::int64_t> first_to_fail{never};
std::atomic<bool> all_behind_fail{false};
std::atomic<bool> failed{false};

void* allocate(std::size_t size, std::size_t alignment) {
  const std::int64_t number = ++count;
  const std::int64_t first = first_to_fail.load();
  if (number == first || (number > first && all_behind_fail.load())) {
    failed = true;
    throw std::bad_alloc();
  }
  const std::size_t whole = (size + alignment - 1) / alignment * alignment;
  if (void* p = std::aligned_alloc(alignment, whole > 0 ? whole : alignment)) return p;
  throw std::bad_alloc();
}

}  // namespace

std::int64_t allocations() { return count.load(); }

FailingAllocations::FailingAllocations(std::int64_t nth, bool lasting) {
  failed = false;
  all_behind_fail = lasting;
  first_to_fail = count.load() + nth;
}

FailingAllocations::~FailingAllocations() { stop(); }

void FailingAllocations::stop() { first_to_fail = never; }

bool FailingAllocations::happened() const { return failed.load(); }

}  // namespace chainrule::testing

using chainrule::testing::allocate;

constexpr std::size_t default_alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

void* operator new(std::size_t size) { return allocate(size, default_alignment); }
void* operator new[](std::size_t size) { return allocate(size, default_alignment); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
