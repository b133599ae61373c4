// SPDX-License-Identifier: Apache-2.0
// The library's random words (random.hpp) in vectors: Philox 4x32-10, so that a word depends on
// where it is used alone.
#pragma once

#include "kernels/simd.hpp"

namespace {

typedef uint64_t Words
    __attribute__((vector_size(kVectorBytes)));  // 32 random bits in each 64-bit lane
constexpr int kWords = kVectorBytes / 8;

struct PhiloxBlock {
  Words word[4];
};

/// One block per lane. Reference: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC
/// 2011.
CHAINRULE_INLINE PhiloxBlock philox_blocks(PhiloxBlock c, uint32_t key0, uint32_t key1) {
  constexpr uint64_t low = 0xffffffffu;
  for (int round = 0; round < 10; ++round) {
    const Words p0 = c.word[0] * uint64_t(0xD2511F53u);
    const Words p1 = c.word[2] * uint64_t(0xCD9E8D57u);
    c = PhiloxBlock{{(p1 >> 32) ^ c.word[1] ^ uint64_t(key0), p1 & low,
                     (p0 >> 32) ^ c.word[3] ^ uint64_t(key1), p0 & low}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

/// The blocks `first`, `first` + 1, ... of the stream (seed, use, stream).
CHAINRULE_INLINE PhiloxBlock random_blocks(uint64_t seed, uint32_t use, uint64_t stream,
                                           uint64_t first) {
  Words index{};
  for (int i = 0; i < kWords; ++i) index[i] = uint64_t(i);
  index = index + first;
  const Words zero{};
  return philox_blocks(
      PhiloxBlock{{index & uint64_t(0xffffffffu), (index >> 32) << 8 | uint64_t(use),
                   zero + (stream & 0xffffffffu), zero + (stream >> 32)}},
      uint32_t(seed), uint32_t(seed >> 32));
}

}  // namespace
