// SPDX-License-Identifier: Apache-2.0
// Which entries of a batch are not zero: a bit for each, and lists of terms for the products'
// tiles.
#pragma once

#include "kernels/multiply.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

constexpr int kWordBits = 64;

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

/// Bit j % 64 of word j / 64 of a row's words is set where x(row, j) is not zero.
template <class T>
void nonzero_bits(const T* x, int64_t stride, int64_t rows, int64_t columns, uint64_t* bits,
                  int64_t words) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t w = 0; w < words; ++w) {
      const int64_t first = w * kWordBits;
      const int64_t left = columns - first < kWordBits ? columns - first : kWordBits;
      uint64_t word = 0;
      for (int64_t j = 0; j < left; j += kLanes<T>)
        word |= lane_bits<T>(load(x + i * stride + first + j) != T(0)) << j;
      bits[i * words + w] = left < kWordBits ? word & ((uint64_t{1} << left) - 1) : word;
    }
  }
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

/// The columns that any row of each tile of kListedRows rows needs.
inline void list_columns(const uint64_t* bits, int64_t words, int64_t rows, int32_t* terms,
                         int32_t* counts, int64_t capacity) {
  for (int64_t first = 0; first < rows; first += kListedRows) {
    const int64_t end = rows - first < kListedRows ? rows : first + kListedRows;
    int64_t count = 0;
    for (int64_t w = 0; w < words; ++w) {
      uint64_t any = 0;
      for (int64_t i = first; i < end; ++i) any |= bits[i * words + w];
      count += append_bits(any, w * kWordBits, terms + count);
    }
    *counts++ = int32_t(count);
    terms += capacity;
  }
}

/// The rows that any column of each tile of kTileRows columns in [begin, end) needs.
inline void list_rows(const uint64_t* bits, int64_t words, int64_t rows, int64_t begin, int64_t end,
                      int32_t* terms, int32_t* counts, int64_t capacity) {
  const int64_t tiles = (end - begin + kTileRows - 1) / kTileRows;
  for (int64_t t = 0; t < tiles; ++t) counts[t] = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const uint64_t* row = bits + i * words;
    int64_t column = begin;
    while (column < end) {
      const uint64_t word = row[column / kWordBits] >> (column % kWordBits);
      if (!word) {
        column = (column / kWordBits + 1) * kWordBits;
        continue;
      }
      column += __builtin_ctzll(word);
      if (column >= end) break;
      const int64_t tile = (column - begin) / kTileRows;
      terms[tile * capacity + counts[tile]++] = int32_t(i);
      column = begin + (tile + 1) * kTileRows;
    }
  }
}

}  // namespace
