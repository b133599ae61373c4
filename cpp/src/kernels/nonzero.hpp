// SPDX-License-Identifier: Apache-2.0
// The nonzeros of a row: a bit for each entry, and lists of their positions.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// A bit for each lane, set where the mask is.
template <class T>
CHAINRULE_INLINE uint64_t lane_bits(IVec<T> mask) {
#if defined(CHAINRULE_ISA_AVX512)
  if constexpr (sizeof(T) == 4) return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask));
  if constexpr (sizeof(T) == 8) return _mm512_movepi64_mask(reinterpret_cast<__m512i>(mask));
#elif defined(CHAINRULE_ISA_AVX2)
  if constexpr (sizeof(T) == 4)
    return uint64_t(uint32_t(_mm256_movemask_ps(reinterpret_cast<__m256>(mask))));
  if constexpr (sizeof(T) == 8)
    return uint64_t(uint32_t(_mm256_movemask_pd(reinterpret_cast<__m256d>(mask))));
#else
  uint64_t set = 0;
  for (int i = 0; i < kLanes<T>; ++i) set |= uint64_t(mask[i] != 0) << i;
  return set;
#endif
}

/// A bit for each of the next kBitsPerWord entries, of which `left` are there: set where it is not
/// zero.
template <class T>
CHAINRULE_INLINE uint64_t nonzero_word(const T* x, int64_t left) {
  const int64_t count = left < kBitsPerWord ? left : kBitsPerWord;
  uint64_t word = 0;
  for (int64_t j = 0; j < count; j += kLanes<T>) word |= lane_bits<T>(load(x + j) != T(0)) << j;
  return count < kBitsPerWord ? word & ((uint64_t{1} << count) - 1) : word;
}

/// Appends the positions of the bits set in one word, the first of which stands for `first`;
/// returns how many. Up to 16 entries behind them are overwritten.
CHAINRULE_INLINE int64_t append_bits(uint64_t word, int64_t first, int32_t* list) {
  const int64_t count = __builtin_popcountll(word);
#if defined(CHAINRULE_ISA_AVX512)
  const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  for (; word; word >>= 16, first += 16) {
    const auto part = static_cast<__mmask16>(word);
    const __m512i all = _mm512_add_epi32(lane, _mm512_set1_epi32(int32_t(first)));
    _mm512_storeu_si512(list, _mm512_maskz_compress_epi32(part, all));
    list += __builtin_popcount(part);
  }
#else
  for (; word; word &= word - 1) *list++ = int32_t(first + __builtin_ctzll(word));
#endif
  return count;
}

}  // namespace
