// SPDX-License-Identifier: Apache-2.0
// Products with a table and its nonzero mask, which has a bit for each entry. The zeros that are
// left out would change no bit: see "Zeros are left out" in docs/architecture.md.
#pragma once

#include "kernels/multiply.hpp"
#include "kernels/nonzero.hpp"
#include "kernels/simd.hpp"
#include "kernels/sparse.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// x: width; mask: mask_words(width). The mask begins with the lowest bit of the first word.
template <class T>
void nonzero_mask(const T* x, int64_t width, uint64_t* mask) {
  int64_t j = 0;
  for (; j + kBitsPerWord <= width; j += kBitsPerWord) *mask++ = nonzero_word(x + j, kBitsPerWord);
  if (j == width) return;
  *mask = 0;
  for (int64_t i = j; i < width; ++i) *mask |= uint64_t(x[i] != T(0)) << (i - j);
}

/// A bit for each of 64 bytes, set where it is not zero.
CHAINRULE_INLINE uint64_t nonzero_bits_of_bytes(const uint8_t* x) {
#if defined(CHAINRULE_ISA_AVX512)
  const __m512i bytes = _mm512_loadu_si512(x);
  return _mm512_test_epi8_mask(bytes, bytes);
#elif defined(CHAINRULE_ISA_AVX2)
  const auto zeros = [&](int half) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x) + half);
    return uint64_t(uint32_t(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, __m256i{}))));
  };
  return ~(zeros(0) | zeros(1) << 32);
#else
  uint64_t mask = 0;
  for (int i = 0; i < kBitsPerWord; ++i) mask |= uint64_t(x[i] != 0) << i;
  return mask;
#endif
}

/// Copies a row of bytes and writes its mask.
[[maybe_unused]] void copy_with_nonzero_mask(const uint8_t* x, int64_t width, uint8_t* copy,
                                             uint64_t* mask) {
  int64_t j = 0;
  for (; j + kBitsPerWord <= width; j += kBitsPerWord) {
    __builtin_memcpy(copy + j, x + j, kBitsPerWord);
    *mask++ = nonzero_bits_of_bytes(x + j);
  }
  if (j == width) return;
  uint8_t rest[kBitsPerWord] = {};
  for (int64_t i = j; i < width; ++i) copy[i] = rest[i - j] = x[i];
  *mask = nonzero_bits_of_bytes(rest);
}

#if defined(CHAINRULE_ISA_AVX512)

/// Byte i of word k becomes byte k of word i.
CHAINRULE_INLINE __m512i transpose_bytes(__m512i words) {
  alignas(64) static constexpr uint8_t kPairs[16] = {0, 8,  1, 9,  2, 10, 3, 11,
                                                     4, 12, 5, 13, 6, 14, 7, 15};
  alignas(64) static constexpr uint16_t kFours[32] = {0,  8,  16, 24, 1,  9,  17, 25, 2,  10, 18,
                                                      26, 3,  11, 19, 27, 4,  12, 20, 28, 5,  13,
                                                      21, 29, 6,  14, 22, 30, 7,  15, 23, 31};
  const __m128i pairs = _mm_load_si128(reinterpret_cast<const __m128i*>(kPairs));
  return _mm512_permutexvar_epi16(_mm512_load_si512(kFours),
                                  _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(pairs)));
}

/// Transposes 64 x 64 bits: the rows' bytes of each eighth of the columns are brought together, and
/// every column takes one bit of each.
CHAINRULE_INLINE void transpose_bits(uint64_t (&m)[kBitsPerWord]) {
  __m512i z[8];
  for (int i = 0; i < 8; ++i) z[i] = transpose_bytes(_mm512_loadu_si512(m + 8 * i));
  __m512i pairs[2][4];
  for (int i = 0; i < 4; ++i) {
    pairs[0][i] = _mm512_unpacklo_epi64(z[2 * i], z[2 * i + 1]);
    pairs[1][i] = _mm512_unpackhi_epi64(z[2 * i], z[2 * i + 1]);
  }
  for (int odd = 0; odd < 2; ++odd) {
    const __m512i(&p)[4] = pairs[odd];
    const __m512i first = _mm512_shuffle_i64x2(p[0], p[1], 0x44);
    const __m512i second = _mm512_shuffle_i64x2(p[0], p[1], 0xee);
    const __m512i third = _mm512_shuffle_i64x2(p[2], p[3], 0x44);
    const __m512i fourth = _mm512_shuffle_i64x2(p[2], p[3], 0xee);
    z[odd] = _mm512_shuffle_i64x2(first, third, 0x88);
    z[2 + odd] = _mm512_shuffle_i64x2(first, third, 0xdd);
    z[4 + odd] = _mm512_shuffle_i64x2(second, fourth, 0x88);
    z[6 + odd] = _mm512_shuffle_i64x2(second, fourth, 0xdd);
  }
  for (int i = 0; i < 8; ++i) {
    for (int bit = 0; bit < 8; ++bit)
      m[8 * i + bit] = _mm512_test_epi8_mask(z[i], _mm512_set1_epi8(char(1 << bit)));
  }
}

#else

/// Transposes 64 x 64 bits. Reference: Warren, "Hacker's Delight", 2nd edition, section 7-3:
/// exchanges the quarters off the diagonal, and then goes on within each.
CHAINRULE_INLINE void transpose_bits(uint64_t (&m)[kBitsPerWord]) {
  uint64_t low = 0x00000000ffffffff;
  for (int half = kBitsPerWord / 2; half > 0; half /= 2, low ^= low << half) {
    for (int block = 0; block < kBitsPerWord; block += 2 * half) {
      for (int i = block; i < block + half; ++i) {
        const uint64_t changed = ((m[i] >> half) ^ m[i + half]) & low;
        m[i] ^= changed << half;
        m[i + half] ^= changed;
      }
    }
  }
}

#endif

/// Writes the mask by column of up to 64 rows from their mask by row; adds to the columns' counts.
[[maybe_unused]] void transpose_mask(const TransposeMaskArgs& f) {
  uint64_t m[kBitsPerWord] = {};
  for (int64_t i = 0; i < f.rows; ++i) m[i] = f.by_row[i * f.row_stride];
  transpose_bits(m);
  for (int64_t j = 0; j < f.columns; ++j) {
    f.by_column[j * f.column_stride] = m[j];
    f.counts[j] += __builtin_popcountll(m[j]);
  }
}

template <class T>
CHAINRULE_INLINE T entry_of(const NumberTable<T>& x, int64_t at) {
  return x.numbers[at];
}

template <class T>
CHAINRULE_INLINE T entry_of(const ByteTable<T>& x, int64_t at) {
  return x.values[x.bytes[at]];
}

/// Sums of P panels of NV vectors each over the nonzeros of one word of a mask. The word's entries
/// lie in x from `at` on at a stride of `step`; `rows` are the other operand's rows for them.
template <class T, class X, int P, int NV>
CHAINRULE_INLINE void add_masked(Vec<T> (&s)[P][NV], uint64_t mask, const X& x, int64_t at,
                                 int64_t step, const PanelRows<T, P>& rows) {
  for (; mask; mask &= mask - 1) {
    const int i = __builtin_ctzll(mask);
    add_entry(s, entry_of(x, at + i * step), i, rows);
  }
}

/// y of P panels for all rows: a block of inputs at a time, so that all rows but the first find the
/// block's weights in L1.
/// x: rows x inputs, weight: panels of [inputs][panel], y: rows x units.
template <class T, class X, int P, int NV>
void masked_forward_panels(const MaskedForwardArgs<T, X>& f, int64_t panel) {
  constexpr int64_t width = NV * kLanes<T>;
  const int64_t column = panel * f.shape.panel;
  const T* weight = f.weight + column * f.shape.rows;
  const int64_t words = mask_words(f.shape.rows);
  in_blocks(words, f.block, [&](int64_t begin, int64_t end) {
    for (int64_t i = f.row_begin; i < f.row_end; ++i) {
      T* y = f.y + i * f.y_stride + column;
      const T* start = begin > 0 ? y : f.bias ? f.bias + column : nullptr;
      Vec<T> s[P][NV];
      load_sums(s, start, f.shape.panel);
      const uint64_t* mask = f.mask + i * words;
      for (int64_t w = begin; w < end; ++w) {
        const int64_t first = w * kBitsPerWord;
        add_masked(s, mask[w], f.x, i * f.x.stride + first, 1,
                   PanelRows<T, P>(weight + first * width, f.shape.panel * f.shape.rows, width));
      }
      store_sums(s, y, f.shape.panel);
    }
  });
}

/// What a word of a mask counts for in prefetching rows: the same for each, since processors cannot
/// predict a loop of changing length.
constexpr int64_t kTermsOfWord = 8;

/// g of P panels for the inputs of `f`.
/// x: batch x inputs, dy: batch x units, g: panels of [inputs][panel].
template <class T, class X, int P, int NV>
void masked_gradient_panels(const MaskedGradientArgs<T, X>& f, int64_t panel) {
  constexpr int64_t width = NV * kLanes<T>;
  const T* dy = f.dy + panel * f.shape.panel;
  T* g = f.g + (panel - f.panel_begin) * f.g_stride;
  const int64_t words = mask_words(f.batch);
  for (int64_t j = f.input_begin; j < f.input_end; ++j) {
    Vec<T> s[P][NV] = {};
    const uint64_t* mask = f.mask + j * words;
    for (int64_t w = 0; w < words; ++w) {
      const int64_t first = w * kBitsPerWord;
      prefetch(f.cursor, kTermsOfWord);
      add_masked(s, mask[w], f.x, first * f.x.stride + j, f.x.stride,
                 PanelRows<T, P>(dy + first * f.dy_stride, kPanelColumns<T>, f.dy_stride));
    }
    store_sums(s, g + (j - f.input_begin) * width, f.g_stride);
  }
}

template <class T, class X>
void masked_forward(const MaskedForwardArgs<T, X>& f) {
  by_panels<T>(f.shape, f.panel_begin, f.panel_end,
               [&]<int P, int NV>(int64_t panel) { masked_forward_panels<T, X, P, NV>(f, panel); });
}

template <class T, class X>
void masked_gradient(const MaskedGradientArgs<T, X>& f) {
  by_panels<T>(f.shape, f.panel_begin, f.panel_end, [&]<int P, int NV>(int64_t panel) {
    masked_gradient_panels<T, X, P, NV>(f, panel);
  });
}

}  // namespace
