// SPDX-License-Identifier: Apache-2.0
#include "chainrule/random.hpp"

#include <bit>
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>

#include "chainrule/error.hpp"
#include "model/normal_quantile.hpp"

namespace chainrule {
namespace {

struct Product {
  std::uint32_t high, low;
};

Product multiply(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t product = std::uint64_t{a} * b;
  return {static_cast<std::uint32_t>(product >> 32), static_cast<std::uint32_t>(product)};
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const Product even = multiply(0xD2511F53u, counter[0]);
    const Product odd = multiply(0xCD9E8D57u, counter[2]);
    counter = {odd.high ^ counter[1] ^ key[0], odd.low, even.high ^ counter[3] ^ key[1], even.low};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

std::array<std::uint32_t, 4> random_block(std::uint64_t seed, RandomUse use, std::uint64_t stream,
                                          std::uint64_t block) {
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const std::uint32_t block_and_use = (low(block >> 32) << 8) | static_cast<std::uint32_t>(use);
  return philox({low(block), block_and_use, low(stream), low(stream >> 32)},
                {low(seed), low(seed >> 32)});
}

RandomStream::RandomStream(std::uint64_t seed, RandomUse use, std::uint64_t stream)
    : seed_(seed), use_(use), stream_(stream) {}

std::uint32_t RandomStream::next_word() {
  if (used_ == 4) {
    words_ = random_block(seed_, use_, stream_, block_++);
    used_ = 0;
  }
  return words_[static_cast<std::size_t>(used_++)];
}

std::uint64_t RandomStream::next_bits() {
  const std::uint64_t high = next_word();
  return (high << 32) | next_word();
}

double RandomStream::next_uniform() { return static_cast<double>(next_bits() >> 11) * 0x1p-53; }

double RandomStream::next_normal() {
  // The middles of 2^52 equal cells: exact, symmetric about 1/2, and never 0 or 1.
  return model::normal_quantile((static_cast<double>(next_bits() >> 12) + 0.5) * 0x1p-52);
}

std::uint64_t RandomStream::next_below(std::uint64_t bound) {
  if (bound == 0) throw Error("bound must be >= 1, got 0");
  constexpr std::uint64_t words = std::uint64_t{1} << 32;
  if (bound <= words) {
    // Reference: Lemire, "Fast random integer generation in an interval", ACM Transactions on
    // Modeling and Computer Simulation 29, 2019.
    std::uint64_t product = bound * next_word();
    if (product % words < bound) {
      const std::uint64_t uneven = words % bound;
      while (product % words < uneven) product = bound * next_word();
    }
    return product / words;
  }
  const int bits = std::bit_width(bound - 1);
  for (;;) {
    const std::uint64_t value = next_bits() >> (64 - bits);
    if (value < bound) return value;
  }
}

void shuffled_order(std::int64_t* order, std::int64_t n, std::uint64_t seed, std::uint64_t epoch) {
  if (n < 0) throw Error("n must be >= 0, got " + std::to_string(n));
  std::iota(order, order + n, std::int64_t{0});
  RandomStream random(seed, RandomUse::shuffle, epoch);
  for (std::int64_t last = n - 1; last > 0; --last) {
    const auto other =
        static_cast<std::int64_t>(random.next_below(static_cast<std::uint64_t>(last) + 1));
    std::swap(order[last], order[other]);
  }
}

}  // namespace chainrule
