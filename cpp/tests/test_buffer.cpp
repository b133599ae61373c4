// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>
#include <vector>

#include "engine/buffer.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace {

using chainrule::engine::Buffer;

constexpr std::int64_t kLargePage = std::int64_t{2} << 20;

}  // namespace

TEST_CASE("A buffer holds zeros at the alignment of rows, large ones at that of large pages") {
  for (const std::int64_t size :
       {std::int64_t{1}, kLargePage - 1, kLargePage, 3 * kLargePage + 1}) {
    CAPTURE(size);
    Buffer<std::uint8_t> buffer(size);
    const std::int64_t alignment = size < kLargePage ? 64 : kLargePage;
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % static_cast<std::size_t>(alignment) ==
          0);
    CHECK(std::all_of(buffer.data(), buffer.data() + size, [](int v) { return v == 0; }));
    std::fill_n(buffer.data(), size, std::uint8_t{1});
    const Buffer<std::uint8_t> copy = buffer;
    CHECK(std::equal(buffer.data(), buffer.data() + size, copy.data()));
  }
}

TEST_CASE("A buffer larger than any memory is a failed allocation") {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  CHECK_THROWS_AS(Buffer<std::uint8_t>{most}, std::bad_alloc);
  CHECK_THROWS_AS(Buffer<std::uint8_t>{most / 2}, std::bad_alloc);
}

#if defined(__linux__)
// Pages lie where the thread that first writes to them runs.
TEST_CASE("Nothing touches a large buffer before its user") {
  const auto page = static_cast<std::int64_t>(sysconf(_SC_PAGESIZE));
  const std::int64_t size = 4 * kLargePage;
  Buffer<std::uint8_t> buffer(size);
  const auto resident = [&] {
    std::vector<unsigned char> pages(static_cast<std::size_t>(size / page));
    REQUIRE(mincore(buffer.data(), static_cast<std::size_t>(size), pages.data()) == 0);
    return std::count_if(pages.begin(), pages.end(), [](int p) { return (p & 1) != 0; });
  };
  CHECK(resident() == 0);
  buffer.data()[size - 1] = 1;
  CHECK(resident() > 0);
  CHECK(resident() <= kLargePage / page);
}
#endif
