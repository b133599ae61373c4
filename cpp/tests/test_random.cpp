// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/random.hpp"
#include "model/normal_quantile.hpp"

using chainrule::philox;
using chainrule::RandomStream;
using chainrule::RandomUse;

using Words = std::array<std::uint32_t, 4>;

TEST_CASE("philox gives the published vectors") {
  // Random123's kat_vectors, philox 4x32 with 10 rounds.
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream is philox on (block, use, stream) under the seed") {
  constexpr std::uint64_t seed = 0x0123456789abcdef;
  constexpr std::uint64_t stream = 0x0000000500000007;
  // From a Philox written in Python that passes the published vectors.
  const std::array<std::uint32_t, 12> expected{0xdb6665f7, 0x70c03f8b, 0xd68ba26d, 0x7d946f4e,
                                               0xd46c8bbf, 0xc0ee4310, 0x79f67696, 0x617a255a,
                                               0xcce76a9b, 0x2a0a088a, 0xc7fed348, 0xd9de233e};
  RandomStream words(seed, RandomUse::initialization, stream);
  for (const std::uint32_t word : expected) CHECK(words.next_word() == word);

  RandomStream uniforms(seed, RandomUse::initialization, stream);
  for (const double value : {0.8570312241652126, 0.8380681531248954, 0.8297812789104961,
                             0.4764169804707099, 0.8004061344927679, 0.7812320759638784})
    CHECK(uniforms.next_uniform() == value);

  // The normal quantiles of the same words, by mpmath with 60 digits.
  RandomStream normals(seed, RandomUse::initialization, stream);
  for (const double value : {1.0670759262942537, 0.9865491811360507, 0.9533012819218853,
                             -0.05914833412041421, 0.843072798007106, 0.776361029014159})
    CHECK(normals.next_normal() == doctest::Approx(value).epsilon(1e-15));

  SUBCASE("blocks beyond 2^32 are distinct from those before") {
    const auto block = [&](std::uint64_t index) {
      return chainrule::random_block(seed, RandomUse::initialization, stream, index);
    };
    CHECK(block(1) == Words{0xd46c8bbf, 0xc0ee4310, 0x79f67696, 0x617a255a});
    CHECK(block(1) != block((std::uint64_t{1} << 32) + 1));
    CHECK(block(1) != block((std::uint64_t{1} << 55) + 1));
  }
}

TEST_CASE("seed, use and stream each change every word") {
  std::set<Words> blocks;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32})
    for (const RandomUse use : {RandomUse::initialization, RandomUse::shuffle, RandomUse::dropout})
      for (const std::uint64_t stream :
           {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32})
        blocks.insert(chainrule::random_block(seed, use, stream, 0));
  CHECK(blocks.size() == 27);
}

TEST_CASE("normal_quantile agrees with 60-digit arithmetic in the middle and in the tails") {
  struct Point {
    double probability, quantile;
  };
  for (const Point point : {Point{0x1p-53, -8.209536151601387},
                            {1e-11, -6.706023155495136},
                            {0x1p-30, -6.009353565530744},
                            {1e-9, -5.9978070150076865},
                            {0.001, -3.0902323061678136},
                            {0.0749, -1.4402382675279637},
                            {0.075, -1.439531470938456},
                            {0.2, -0.8416212335729142},
                            {0.425, -0.18911842627279252},
                            {0.926, 1.4466320671589787},
                            {0.999, 3.090232306167813},
                            {1.0 - 0x1p-53, 8.209536151601387}}) {
    CAPTURE(point.probability);
    const double quantile = chainrule::model::normal_quantile(point.probability);
    CHECK(std::abs(quantile / point.quantile - 1.0) < 1e-15);
  }
  CHECK(chainrule::model::normal_quantile(0.5) == 0.0);
}

TEST_CASE("normals have one sequence of bits on every platform") {
  RandomStream random(2024, RandomUse::initialization, 3);
  std::uint64_t hash = 0xcbf29ce484222325;
  for (int i = 0; i < 10000; ++i)
    hash = (hash ^ std::bit_cast<std::uint64_t>(random.next_normal())) * 0x100000001b3;
  CHECK(hash == 0x2bccaf3fd4b73b22);
}

TEST_CASE("uniforms and normals have the moments of their distributions") {
  constexpr int n = 100000;
  RandomStream random(5, RandomUse::dropout, 11);
  double sum = 0.0, squares = 0.0, least = 1.0, most = 0.0;
  for (int i = 0; i < n; ++i) {
    const double value = random.next_uniform();
    sum += value;
    squares += value * value;
    least = std::min(least, value);
    most = std::max(most, value);
  }
  // Five standard errors of the mean and of the mean square.
  CHECK(std::abs(sum / n - 1.0 / 2) < 5 * std::sqrt(1.0 / 12 / n));
  CHECK(std::abs(squares / n - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / n));
  CHECK(least >= 0.0);
  CHECK(least < 1e-3);
  CHECK(most < 1.0);
  CHECK(most > 0.999);

  double mean = 0.0, variance = 0.0, fourth = 0.0;
  for (int i = 0; i < n; ++i) {
    const double value = random.next_normal();
    mean += value / n;
    variance += value * value / n;
    fourth += value * value * value * value / n;
  }
  CHECK(std::abs(mean) < 5 * std::sqrt(1.0 / n));
  CHECK(std::abs(variance - 1.0) < 5 * std::sqrt(2.0 / n));
  CHECK(std::abs(fourth - 3.0) < 5 * std::sqrt(96.0 / n));
}

TEST_CASE("next_below is even over its range") {
  RandomStream random(9, RandomUse::shuffle, 0);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[random.next_below(7)];
  double chi_squared = 0.0;
  for (const int count : counts) chi_squared += (count - 10000.0) * (count - 10000.0) / 10000.0;
  CHECK(chi_squared < 22.46);  // the 0.999 quantile for 6 degrees of freedom

  // Of the 2^32 words as many as make two of these values are left over, a quarter of all.
  constexpr std::uint64_t wide = std::uint64_t{3} << 30;
  std::array<int, 3> rests{};
  for (int i = 0; i < 3000; ++i) ++rests[random.next_below(wide) % 3];
  for (const int count : rests) CHECK(std::abs(count - 1000) < 130);  // five standard deviations

  CHECK(random.next_below(1) == 0);
  constexpr std::uint64_t large = (std::uint64_t{1} << 40) + 12345;
  std::uint64_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = random.next_below(large);
    CHECK(value < large);
    most = std::max(most, value);
  }
  CHECK(most > (std::uint64_t{1} << 39));
  CHECK_THROWS_WITH_AS(random.next_below(0), "bound must be >= 1, got 0", chainrule::Error);
}

TEST_CASE("shuffled_order is a permutation that depends on seed and epoch alone") {
  constexpr std::int64_t n = 1000;
  const auto order = [&](std::uint64_t seed, std::uint64_t epoch) {
    std::vector<std::int64_t> result(n, -1);
    chainrule::shuffled_order(result.data(), n, seed, epoch);
    return result;
  };
  const auto first = order(1, 0);
  CHECK(first == order(1, 0));
  CHECK(first != order(1, 1));
  CHECK(first != order(2, 0));
  std::vector<std::int64_t> sorted = first, identity(n);
  std::iota(identity.begin(), identity.end(), 0);
  CHECK(first != identity);
  std::sort(sorted.begin(), sorted.end());
  CHECK(sorted == identity);

  SUBCASE("all six orders of three rows come equally often") {
    std::array<int, 27> counts{};
    for (std::uint64_t epoch = 0; epoch < 6000; ++epoch) {
      std::array<std::int64_t, 3> three{};
      chainrule::shuffled_order(three.data(), 3, 4, epoch);
      ++counts[static_cast<std::size_t>(9 * three[0] + 3 * three[1] + three[2])];
    }
    CHECK(std::count_if(counts.begin(), counts.end(), [](int count) { return count > 0; }) == 6);
    for (const int count : counts)
      if (count > 0) CHECK(std::abs(count - 1000) < 150);
  }

  SUBCASE("no rows and one row") {
    chainrule::shuffled_order(nullptr, 0, 1, 0);
    std::int64_t single = -1;
    chainrule::shuffled_order(&single, 1, 1, 0);
    CHECK(single == 0);
  }
}
