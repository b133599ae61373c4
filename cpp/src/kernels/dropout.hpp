// SPDX-License-Identifier: Apache-2.0
// Dropout's random factors: Philox 4x32-10 over (layer, step, row, column), so threads cannot
// matter.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

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

template <class T>
void dropout_factors(const DropoutArgs& f, T scale, T* factors, int64_t stride) {
  const Words lane = [] {
    Words v{};
    for (int i = 0; i < kWords; ++i) v[i] = uint64_t(i);
    return v;
  }();
  const Words zero{};
  const int64_t blocks_per_row = (f.columns + 3) / 4;
  for (int64_t row = f.row_begin; row < f.row_end; ++row) {
    T* out = factors + row * stride;
    for (int64_t first = 0; first < f.columns; first += 4 * kWords) {
      const Words index = lane + uint64_t(row * blocks_per_row + first / 4);
      const PhiloxBlock block = philox_blocks(
          PhiloxBlock{{index & uint64_t(0xffffffffu), (index >> 32) << 8 | uint64_t(f.use),
                       zero + (f.stream & 0xffffffffu), zero + (f.stream >> 32)}},
          uint32_t(f.seed), uint32_t(f.seed >> 32));
      for (int i = 0; i < kWords; ++i) {
        for (int w = 0; w < 4; ++w) {
          const int64_t column = first + 4 * i + w;
          if (column < f.columns) out[column] = block.word[w][i] < f.threshold ? T(0) : scale;
        }
      }
    }
  }
}

}  // namespace
