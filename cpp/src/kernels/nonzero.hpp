// SPDX-License-Identifier: Apache-2.0
// The nonzeros of a row: a bit for each entry, and lists of their positions.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// A bit for each lane, set where it is not zero; the first lane's is the lowest.
template <class T>
CHAINRULE_INLINE uint64_t nonzero_bits(Vec<T> x) {
#if defined(CHAINRULE_ISA_AVX512)
  if constexpr (sizeof(T) == 4) {
    return _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ);
  } else {
    return _mm512_cmp_pd_mask(x, _mm512_setzero_pd(), _CMP_NEQ_UQ);
  }
#elif defined(CHAINRULE_ISA_AVX2)
  if constexpr (sizeof(T) == 4) {
    return unsigned(_mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ)));
  } else {
    return unsigned(_mm256_movemask_pd(_mm256_cmp_pd(x, _mm256_setzero_pd(), _CMP_NEQ_UQ)));
  }
#else
  uint64_t mask = 0;
  for (int i = 0; i < kLanes<T>; ++i) mask |= uint64_t(x[i] != T(0)) << i;
  return mask;
#endif
}

/// A bit for each of the next kBitsPerWord entries, of which `left` are there: set where it is not
/// zero.
template <class T>
CHAINRULE_INLINE uint64_t nonzero_word(const T* x, int64_t left) {
  const int64_t count = left < kBitsPerWord ? left : kBitsPerWord;
  uint64_t word = 0;
  for (int64_t j = 0; j < count; j += kLanes<T>) word |= nonzero_bits<T>(load(x + j)) << j;
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
