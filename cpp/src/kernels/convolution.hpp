// SPDX-License-Identifier: Apache-2.0
// Convolutions as products of overlapping rows with a matrix: no window is copied. A tile keeps in
// registers the sums of some windows, or in the gradient of some terms, by the vectors of a panel,
// and adds one fused multiply-add a term in one lane, from the bias or zero, in the order that the
// arguments say. Zeros around an image are terms as others.
#pragma once

#include "kernels/copy.hpp"
#include "kernels/multiply.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// Rows of a tile of `vectors` vectors: as many independent sums as the registers hold beside a
/// term of the weights and a broadcast, 14 rows at most.
constexpr int convolution_rows(int vectors) {
#if defined(CHAINRULE_ISA_AVX2)
  return 12 / vectors;
#elif defined(CHAINRULE_ISA_AVX512) || defined(CHAINRULE_ISA_NEON)
  return vectors == 1 ? 14 : 24 / vectors;
#else
  return vectors > 0 ? 2 : 0;
#endif
}

/// Whether the last two panels are one tile's, if the last one has one vector only. Both have the
/// same width.
#if defined(CHAINRULE_ISA_AVX2)
constexpr bool kJoinsPanels = true;
#else
constexpr bool kJoinsPanels = false;
#endif

/// The sums of a tile, MR rows of NV vectors, of which the last may be half a vector: where
/// processors take a large vector in two halves, the other half would be computed for nothing.
template <class T, int MR, int NV, bool kHalf>
struct TileSums {
  static constexpr int kFull = NV - int(kHalf);
  static constexpr int64_t kHalfColumn = kFull * kLanes<T>;

  Vec<T> full[MR][kFull > 0 ? kFull : 1];
  HalfVec<T> half[MR];

  /// Row r begins with the numbers from `first` on, or null for zeros.
  CHAINRULE_INLINE void begin(int r, const T* first) {
    for (int v = 0; v < kFull; ++v) full[r][v] = first ? load(first + v * kLanes<T>) : Vec<T>{};
    if constexpr (kHalf) half[r] = first ? load_half(first + kHalfColumn) : HalfVec<T>{};
  }

  /// Stores row r, with zeros behind it up to the panel's width.
  CHAINRULE_INLINE void store_row(int r, T* row, int64_t width) const {
    for (int v = 0; v < kFull; ++v) store(row + v * kLanes<T>, full[r][v]);
    if constexpr (kHalf) {
      store_half(row + kHalfColumn, half[r]);
      store_half(row + kHalfColumn + kLanes<T> / 2, HalfVec<T>{});
    }
    for (int64_t j = NV * kLanes<T>; j < width; j += kLanes<T>) store(row + j, Vec<T>{});
  }
};

/// sum(r, :) += sum over k < count, in order, of a[at[r] + k * step] * b[k * b_step + :], where
/// vectors behind those of a panel lie `b_panel` further on.
template <class T, int MR, int NV, bool kHalf>
CHAINRULE_INLINE void add_run(TileSums<T, MR, NV, kHalf>& sum, const T* a, const int64_t (&at)[MR],
                              int64_t step, const T* b, int64_t b_step, int64_t b_panel,
                              int64_t count) {
  constexpr int full = TileSums<T, MR, NV, kHalf>::kFull;
  const auto add_next = [&]() CHAINRULE_LAMBDA {
    Vec<T> bv[full > 0 ? full : 1];
    HalfVec<T> half{};
    for (int v = 0; v < full; ++v)
      bv[v] = load(b + v / kPanelVectors * b_panel + v % kPanelVectors * kLanes<T>);
    if constexpr (kHalf) half = load_half(b + full * kLanes<T>);
    for (int r = 0; r < MR; ++r) {
      const Vec<T> av = broadcast(a[at[r]]);
      for (int v = 0; v < full; ++v) sum.full[r][v] = fma(av, bv[v], sum.full[r][v]);
      if constexpr (kHalf) sum.half[r] = fma(lower_half(av), half, sum.half[r]);
    }
    a += step;
    b += b_step;
  };
  constexpr bool hides_loop = kVectorBytes == 64;  // as in a product's tiles
  if constexpr (sizeof(T) == sizeof(float) && MR == convolution_rows(NV) && !hides_loop) {
    CHAINRULE_UNROLL
    for (int64_t k = 0; k < count; ++k) add_next();
  } else {
    for (int64_t k = 0; k < count; ++k) add_next();
  }
}

/// Goes through the windows of all images, and stays at the last one.
struct WindowCursor {
  int64_t image, window;
};

/// MR windows from the cursor on; the last window again where there are fewer.
template <class T, int MR, int NV, bool kHalf>
CHAINRULE_INLINE void window_tile(const ConvolutionArgs<T>& f, int64_t panel,
                                  WindowCursor& cursor) {
  const int64_t width = f.shape.width(panel);
  const int64_t column = panel * f.shape.panel;
  int64_t at[MR];
  T* y[MR];
  for (int r = 0; r < MR; ++r) {
    const WindowPlace& place = f.windows[cursor.window];
    at[r] = cursor.image * f.x_image + place.x;
    y[r] = f.y + cursor.image * f.y_image + place.y + column;
    if (cursor.window + 1 < f.window_count) {
      ++cursor.window;
    } else if (cursor.image + 1 < f.images) {
      cursor.window = 0;
      ++cursor.image;
    }
  }
  TileSums<T, MR, NV, kHalf> sum;
  for (int r = 0; r < MR; ++r) sum.begin(r, f.bias ? f.bias + column : nullptr);
  const T* weight = f.weight + f.shape.offset(panel) + f.first * width;
  for (int64_t i = 0; i < f.term_runs; ++i) {
    add_run(sum, f.x + f.terms[i].offset, at, 1, weight, width, f.shape.panel * f.shape.rows,
            f.terms[i].count);
    weight += f.terms[i].count * width;
  }
  const int64_t stored = NV > kPanelVectors ? 2 * width : width;
  for (int r = 0; r < MR; ++r) sum.store_row(r, y[r], stored);
}

/// MR rows of g from `row` on; the last one again where there are fewer. x and dy are those of the
/// first of `runs`.
template <class T, int MR, int NV, bool kHalf>
CHAINRULE_INLINE void gradient_tile(const ConvolutionGradientArgs<T>& f, int64_t row, bool adds,
                                    const Run* runs, int64_t run_count, const T* x, const T* dy) {
  const int64_t width = f.shape.width(f.panel);
  int64_t at[MR];
  T* g[MR];
  for (int r = 0; r < MR; ++r) {
    const int64_t term = row + r < f.end ? row + r : f.end - 1;
    at[r] = f.terms[term];
    g[r] = f.g + (term - f.begin) * width;
  }
  TileSums<T, MR, NV, kHalf> sum;
  for (int r = 0; r < MR; ++r) sum.begin(r, adds ? g[r] : nullptr);
  for (int64_t i = 0; i < run_count; ++i) {
    add_run(sum, x + runs[i].offset, at, f.step, dy, f.dy_stride, f.shape.panel, runs[i].count);
    dy += runs[i].count * f.dy_stride;
  }
  for (int r = 0; r < MR; ++r) sum.store_row(r, g[r], width);
}

/// Calls work.template operator()<NV, kHalf>() with the vectors that hold `columns` columns of a
/// panel. Where there are one or two, the last is half a vector if that is enough.
template <class T, int NV = kPanelVectors, class Work>
CHAINRULE_INLINE void with_vectors(int64_t columns, const Work& work) {
  if constexpr (NV > 1) {
    if (columns <= (NV - 1) * kLanes<T>) return with_vectors<T, NV - 1>(columns, work);
  }
  if constexpr (kHasHalves<T> && NV <= 2) {
    if (columns <= NV * kLanes<T> - kLanes<T> / 2) return work.template operator()<NV, true>();
  }
  work.template operator()<NV, false>();
}

template <class T, int NV, bool kHalf>
void convolve_panel(const ConvolutionArgs<T>& f, int64_t panel) {
  constexpr int rows = convolution_rows(NV);
  WindowCursor cursor{0, 0};
  for (int64_t window = 0; window < f.images * f.window_count; window += rows)
    window_tile<T, rows, NV, kHalf>(f, panel, cursor);
}

template <class T>
void convolve(const ConvolutionArgs<T>& f) {
  const int64_t panels = f.shape.panels();
  for (int64_t panel = 0; panel < panels; ++panel) {
    // A last panel of one vector by itself would load a number for each multiply-add.
    if constexpr (kJoinsPanels && sizeof(T) == sizeof(float)) {
      if (panel + 2 == panels && f.shape.own_columns(panel + 1) <= kLanes<T>)
        return convolve_panel<T, kPanelVectors + 1, false>(f, panel);
    }
    with_vectors<T>(f.shape.own_columns(panel),
                    [&]<int NV, bool kHalf>() { convolve_panel<T, NV, kHalf>(f, panel); });
  }
}

/// All rows of g: full tiles, and at the end one of half the rows where that is enough.
template <class T, int NV, bool kHalf, class... Args>
CHAINRULE_INLINE void gradient_tiles(const ConvolutionGradientArgs<T>& f, Args... args) {
  constexpr int rows = convolution_rows(NV);
  int64_t row = f.begin;
  for (; f.end - row > rows / 2; row += rows) gradient_tile<T, rows, NV, kHalf>(f, row, args...);
  if (row < f.end) gradient_tile<T, rows / 2, NV, kHalf>(f, row, args...);
}

template <class T, int NV, bool kHalf>
void convolution_gradient_panel(const ConvolutionGradientArgs<T>& f) {
  bool adds = f.adds;
  const T* dy = f.dy;
  for (int64_t image = 0; image < f.images; ++image) {
    in_blocks(f.window_runs, f.block, [&](int64_t first, int64_t last) {
      gradient_tiles<T, NV, kHalf>(f, adds, f.windows + first, last - first,
                                   f.x + image * f.x_image, dy);
      for (int64_t i = first; i < last; ++i) dy += f.windows[i].count * f.dy_stride;
      adds = true;
    });
  }
}

template <class T>
void convolution_gradient(const ConvolutionGradientArgs<T>& f) {
  with_vectors<T>(f.shape.own_columns(f.panel),
                  [&]<int NV, bool kHalf>() { convolution_gradient_panel<T, NV, kHalf>(f); });
}

template <class T>
void add_border(const BorderArgs<T>& f) {
  T* y = f.y;
  const auto zeros = [&](int64_t positions) {
    for (int64_t i = 0; i < positions * f.columns; ++i) *y++ = T(0);
  };
  const int64_t row = f.left + f.width + f.right;
  const bool is_compact = f.x_stride == f.columns;
  for (int64_t image = 0; image < f.images; ++image) {
    const T* x = f.x + image * f.x_image;
    zeros(f.top * row);
    for (int64_t i = 0; i < f.height; ++i) {
      zeros(f.left);
      if (is_compact) {
        copy_numbers(x, y, f.width * f.columns);
      } else {
        copy_columns(x, f.x_stride, y, f.columns, f.width, f.columns);
      }
      x += f.width * f.x_stride;
      y += f.width * f.columns;
      zeros(f.right);
    }
    zeros(f.bottom * row);
  }
}

}  // namespace
