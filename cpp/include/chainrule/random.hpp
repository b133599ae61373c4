// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"

namespace chainrule {

/// What a random stream is for; part of the counter, so that no two uses ever share numbers.
enum class RandomUse : std::uint32_t {
  initialization = 1,
  shuffle = 2,
  dropout = 3,
  noise = 4,
  augmentation = 5
};

/// Philox 4x32-10: four random words as a pure function of a counter and a key.
/// Reference: Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
CHAINRULE_API std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key);

/// Words 4 * block to 4 * block + 3 of the stream (seed, use, stream), for block < 2^56. The key is
/// the seed, low word first; the counter is the low word of block, its high word and use (24 and 8
/// bits), the low and the high word of stream, so that no two streams of a seed share a counter.
CHAINRULE_API std::array<std::uint32_t, 4> random_block(std::uint64_t seed, RandomUse use,
                                                        std::uint64_t stream, std::uint64_t block);

/// A stream of random numbers whose n-th word depends on (seed, use, stream, n) alone.
class CHAINRULE_API RandomStream {
 public:
  RandomStream(std::uint64_t seed, RandomUse use, std::uint64_t stream);

  std::uint32_t next_word();

  /// A number in [0, 1), a multiple of 2^-53; takes two words.
  double next_uniform();

  /// Standard normal, the inverse distribution function of a uniform; takes two words. It uses
  /// nothing but + - * / and sqrt, so it has the same bits with every mathematical library.
  double next_normal();

  /// An integer in [0, bound), each equally likely; throws Error for bound 0.
  std::uint64_t next_below(std::uint64_t bound);

 private:
  std::uint64_t next_bits();

  std::uint64_t seed_;
  RandomUse use_;
  std::uint64_t stream_;
  std::uint64_t block_ = 0;
  std::array<std::uint32_t, 4> words_{};
  int used_ = 4;
};

/// The permutation of 0..n-1 that epoch `epoch` visits the rows in (Fisher-Yates).
CHAINRULE_API void shuffled_order(std::int64_t* order, std::int64_t n, std::uint64_t seed,
                                  std::uint64_t epoch);

}  // namespace chainrule
