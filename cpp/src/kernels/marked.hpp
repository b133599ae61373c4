// SPDX-License-Identifier: Apache-2.0
// Products with a table whose entries that are not zero are marked, a bit for each. What is left
// out would change no bit: see "Zeros are left out" in docs/architecture.md.
#pragma once

#include "kernels/multiply.hpp"
#include "kernels/simd.hpp"
#include "kernels/sparse.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// A bit for each lane that is not zero, the first lane's lowest.
template <class T>
CHAINRULE_INLINE uint64_t marks_of(Vec<T> x) {
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
  uint64_t marks = 0;
  for (int i = 0; i < kLanes<T>; ++i) marks |= uint64_t(x[i] != T(0)) << i;
  return marks;
#endif
}

/// The marks of a row, from the lowest bit of the first word on.
template <class T>
void mark(const T* x, int64_t width, uint64_t* marks) {
  int64_t j = 0;
  for (; j + kMarksOfWord <= width; j += kMarksOfWord) {
    uint64_t word = 0;
    for (int i = 0; i < kMarksOfWord; i += kLanes<T>) word |= marks_of<T>(load(x + j + i)) << i;
    *marks++ = word;
  }
  if (j == width) return;
  *marks = 0;
  for (int64_t i = j; i < width; ++i) *marks |= uint64_t(x[i] != T(0)) << (i - j);
}

/// Marks by column of up to 64 rows, from marks by row; adds to the counts of the columns.
/// Reference: Warren, "Hacker's Delight", 2nd edition, section 7-3: exchanges the quarters off the
/// diagonal, and then goes on within each.
[[maybe_unused]] void turn_marks(const TurnMarksArgs& f) {
  uint64_t m[kMarksOfWord] = {};
  for (int64_t i = 0; i < f.rows; ++i) m[i] = f.by_row[i * f.row_stride];
  uint64_t low = 0x00000000ffffffff;
  for (int half = kMarksOfWord / 2; half > 0; half /= 2, low ^= low << half) {
    for (int block = 0; block < kMarksOfWord; block += 2 * half) {
      for (int i = block; i < block + half; ++i) {
        const uint64_t changed = ((m[i] >> half) ^ m[i + half]) & low;
        m[i] ^= changed << half;
        m[i + half] ^= changed;
      }
    }
  }
  for (int64_t j = 0; j < f.columns; ++j) {
    f.by_column[j * f.column_stride] = m[j];
    f.counts[j] += __builtin_popcountll(m[j]);
  }
}

/// Sums of P panels of NV vectors each over the marked entries of a word, x_step apart, whose rows
/// of the other operand begin at `rows`.
template <class T, int P, int NV>
CHAINRULE_INLINE void add_marked(Vec<T> (&s)[P][NV], uint64_t marks, const T* x, int64_t x_step,
                                 const PanelRows<T>& rows) {
  for (; marks; marks &= marks - 1) {
    const int i = __builtin_ctzll(marks);
    add_entry(s, x[i * x_step], i, rows);
  }
}

/// y of P panels for all rows: a block of inputs at a time, so that all rows but the first find the
/// block's weights in the first cache.
template <class T, int P, int NV>
void marked_forward_panels(const MarkedForwardArgs<T>& f, int64_t panel) {
  constexpr int64_t width = NV * kLanes<T>;
  const int64_t column = panel * f.shape.panel;
  const T* weight = f.weight + column * f.shape.rows;
  const int64_t words = words_of_marks(f.shape.rows);
  in_blocks(words, f.block, [&](int64_t begin, int64_t end) {
    for (int64_t i = f.row_begin; i < f.row_end; ++i) {
      T* y = f.y + i * f.y_stride + column;
      const T* start = begin > 0 ? y : f.bias ? f.bias + column : nullptr;
      Vec<T> s[P][NV];
      load_sums(s, start, f.shape.panel);
      const T* x = f.x + i * f.x_stride;
      const uint64_t* marks = f.marks + i * words;
      for (int64_t w = begin; w < end; ++w) {
        const int64_t first = w * kMarksOfWord;
        add_marked(s, marks[w], x + first, 1,
                   PanelRows<T>{weight + first * width, f.shape.panel * f.shape.rows, width});
      }
      store_sums(s, y, f.shape.panel);
    }
  });
}

/// What a word of marks counts for in fetching upcoming rows: the same for each, since processors
/// cannot foresee a loop of changing length.
constexpr int64_t kTermsOfWord = 8;

/// g of P panels for the inputs of `f`.
template <class T, int P, int NV>
void marked_gradient_panels(const MarkedGradientArgs<T>& f, int64_t panel) {
  constexpr int64_t width = NV * kLanes<T>;
  const T* dy = f.dy + panel * f.shape.panel;
  T* g = f.g + (panel - f.panel_begin) * f.g_stride;
  const int64_t words = words_of_marks(f.batch);
  for (int64_t j = f.input_begin; j < f.input_end; ++j) {
    Vec<T> s[P][NV] = {};
    const uint64_t* marks = f.marks + j * words;
    for (int64_t w = 0; w < words; ++w) {
      const int64_t first = w * kMarksOfWord;
      fetch(f.upcoming, kTermsOfWord);
      add_marked(s, marks[w], f.x + first * f.x_stride + j, f.x_stride,
                 PanelRows<T>{dy + first * f.dy_stride, f.shape.panel, f.dy_stride});
    }
    store_sums(s, g + (j - f.input_begin) * width, f.g_stride);
  }
}

template <class T>
void marked_forward(const MarkedForwardArgs<T>& f) {
  by_panels<T>(f.shape, f.panel_begin, f.panel_end,
               [&]<int P, int NV>(int64_t panel) { marked_forward_panels<T, P, NV>(f, panel); });
}

template <class T>
void marked_gradient(const MarkedGradientArgs<T>& f) {
  by_panels<T>(f.shape, f.panel_begin, f.panel_end,
               [&]<int P, int NV>(int64_t panel) { marked_gradient_panels<T, P, NV>(f, panel); });
}

}  // namespace
