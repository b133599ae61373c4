// SPDX-License-Identifier: Apache-2.0
// The one microkernel, C(m, n) = init + sum over k of a(m, k) * b(k, n), and its three
// orientations. Every sum runs in the order of k, one fused multiply-add a term, in one lane:
// blocking and threads cannot change a bit.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// Rows of a tile, so that its sums, one row of b and a broadcast fit the registers.
#if defined(CHAINRULE_ISA_AVX512) || defined(CHAINRULE_ISA_AVX2) || defined(CHAINRULE_ISA_NEON)
constexpr int kTileRows = 6;
#else
constexpr int kTileRows = 2;
#endif

/// Vectors of a panel: 256 bytes where the register file is large, else one granule.
#if defined(CHAINRULE_ISA_AVX512)
constexpr int kPanelVectors = 4;
#else
constexpr int kPanelVectors = int(kGranuleBytes / kVectorBytes);
#endif

template <class T>
constexpr int64_t kPanelColumns = kPanelVectors * kLanes<T>;

CHAINRULE_INLINE int64_t panel_width(const PanelShape& s, int64_t panel) {
  const int64_t left = s.columns - panel * s.panel;
  const int64_t padded = (left + s.granule - 1) / s.granule * s.granule;
  return padded < s.panel ? padded : s.panel;
}

/// sum(r, :) += sum over k of a[r * a_row + k * a_term] * b[k * b_term + :], in the order of k.
template <class T, int MR, int NV>
CHAINRULE_INLINE void accumulate(Vec<T> (&sum)[MR][NV], const T* a, int64_t a_row, int64_t a_term,
                                 const T* b, int64_t b_term, int64_t terms) {
  for (int64_t k = 0; k < terms; ++k) {
    Vec<T> bv[NV];
    for (int v = 0; v < NV; ++v) bv[v] = load(b + v * kLanes<T>);
    for (int r = 0; r < MR; ++r) {
      const Vec<T> av = broadcast(a[r * a_row]);
      for (int v = 0; v < NV; ++v) sum[r][v] = fma(av, bv[v], sum[r][v]);
    }
    a += a_term;
    b += b_term;
  }
}

/// Operands that lie in one piece: forward pass and weight gradient.
template <class T>
struct OnePiece {
  const T* a;
  int64_t a_row, a_term;
  const T* b;
  int64_t b_term;
  int64_t terms;
  const T* init;  // null: zero

  template <int MR, int NV>
  CHAINRULE_INLINE void sum(int64_t row, Vec<T> (&s)[MR][NV]) const {
    for (int v = 0; v < NV; ++v) {
      const Vec<T> start = init ? load(init + v * kLanes<T>) : Vec<T>{};
      for (int r = 0; r < MR; ++r) s[r][v] = start;
    }
    accumulate<T, MR, NV>(s, a + row * a_row, a_row, a_term, b, b_term, terms);
  }
};

/// Operands where a = W lies in column panels and the sum runs over its columns: input gradient.
template <class T>
struct OverPanels {
  PanelShape shape;
  const T* weight;
  const T* b;
  int64_t b_term;

  template <int MR, int NV>
  CHAINRULE_INLINE void sum(int64_t row, Vec<T> (&s)[MR][NV]) const {
    for (int r = 0; r < MR; ++r) {
      for (int v = 0; v < NV; ++v) s[r][v] = Vec<T>{};
    }
    for (int64_t column = 0; column < shape.columns; column += shape.panel) {
      const int64_t width = panel_width(shape, column / shape.panel);
      const int64_t left = shape.columns - column;
      accumulate<T, MR, NV>(s, weight + column * shape.rows + row * width, width, 1,
                            b + column * b_term, b_term, left < width ? left : width);
    }
  }
};

/// The tile as rows of a row-major C.
template <class T>
struct StoreRows {
  T* c;
  int64_t stride;

  template <int MR, int NV>
  CHAINRULE_INLINE void put(int64_t row, const Vec<T> (&s)[MR][NV]) const {
    for (int r = 0; r < MR; ++r) {
      for (int v = 0; v < NV; ++v) store(c + (row + r) * stride + v * kLanes<T>, s[r][v]);
    }
  }
};

/// The tile turned: its lanes become rows of C, of which only the first `lanes` exist.
template <class T>
struct StoreTurned {
  T* c;
  int64_t stride;
  int64_t lanes;

  template <int MR, int NV>
  CHAINRULE_INLINE void put(int64_t row, const Vec<T> (&s)[MR][NV]) const {
    T turned[MR][NV * kLanes<T>];
    for (int r = 0; r < MR; ++r) {
      for (int v = 0; v < NV; ++v) store(&turned[r][v * kLanes<T>], s[r][v]);
    }
    for (int64_t i = 0; i < lanes; ++i) {
      for (int r = 0; r < MR; ++r) c[i * stride + row + r] = turned[r][i];
    }
  }
};

template <class T, int MR, int NV, class Source, class Store>
CHAINRULE_INLINE void tile(int64_t row, const Source& source, const Store& out) {
  Vec<T> s[MR][NV];
  source.template sum<MR, NV>(row, s);
  out.template put<MR, NV>(row, s);
}

/// The rows left over after the full tiles, by a tile of just their number.
template <class T, int MR, int NV, class Source, class Store>
CHAINRULE_INLINE void last_tile(int64_t row, int64_t rows, const Source& source, const Store& out) {
  if constexpr (MR > 0) {
    if (rows == MR) {
      tile<T, MR, NV>(row, source, out);
    } else {
      last_tile<T, MR - 1, NV>(row, rows, source, out);
    }
  }
}

/// All rows of NV vectors of columns.
template <class T, int NV, class Source, class Store>
void strip(int64_t rows, Source source, Store out) {
  int64_t row = 0;
  for (; row + kTileRows <= rows; row += kTileRows) tile<T, kTileRows, NV>(row, source, out);
  last_tile<T, kTileRows - 1, NV>(row, rows - row, source, out);
}

/// All rows of `width` columns: whole vectors, kPanelVectors of them at most.
template <class T, int NV = kPanelVectors, class Source, class Store>
CHAINRULE_INLINE void strip_of_width(int64_t width, int64_t rows, const Source& source,
                                     const Store& out) {
  if constexpr (NV > 1) {
    if (width < NV * kLanes<T>) {
      strip_of_width<T, NV - 1>(width, rows, source, out);
      return;
    }
  }
  strip<T, NV>(rows, source, out);
}

template <class T>
void forward(const ForwardArgs<T>& f) {
  for (int64_t p = f.panel_begin; p < f.panel_end; ++p) {
    const int64_t width = panel_width(f.shape, p);
    const int64_t column = p * f.shape.panel;
    const OnePiece<T> source{f.x + f.row_begin * f.x_stride,    f.x_stride, 1,
                             f.weight + column * f.shape.rows,  width,      f.shape.rows,
                             f.bias ? f.bias + column : nullptr};
    const StoreRows<T> out{f.y + f.row_begin * f.y_stride + column, f.y_stride};
    strip_of_width<T>(width, f.row_end - f.row_begin, source, out);
  }
}

template <class T>
void weight_gradient(const WeightGradientArgs<T>& f) {
  const int64_t width = panel_width(f.shape, f.panel);
  const OnePiece<T> source{f.x + f.input_begin, 1,       f.x_stride, f.dy + f.panel * f.shape.panel,
                           f.dy_stride,         f.batch, nullptr};
  strip_of_width<T>(width, f.input_end - f.input_begin, source, StoreRows<T>{f.g, width});
}

template <class T>
void input_gradient(const InputGradientArgs<T>& f) {
  const PanelShape batch{f.shape.columns, f.rows, kPanelColumns<T>, kGranule<T>};
  for (int64_t first = 0; first < f.rows; first += batch.panel) {
    const int64_t width = panel_width(batch, first / batch.panel);
    const int64_t left = f.rows - first;
    const OverPanels<T> source{f.shape, f.weight, f.dy_panels + first * batch.rows, width};
    const StoreTurned<T> out{f.dx + first * f.dx_stride, f.dx_stride, left < width ? left : width};
    strip_of_width<T>(width, f.shape.rows, source, out);
  }
}

template <class T>
void transpose(const T* x, int64_t stride, int64_t rows, int64_t columns, T* panels) {
  const PanelShape batch{columns, rows, kPanelColumns<T>, kGranule<T>};
  for (int64_t first = 0; first < rows; first += batch.panel) {
    const int64_t width = panel_width(batch, first / batch.panel);
    const int64_t present = rows - first < width ? rows - first : width;
    T* panel = panels + first * columns;
    for (int64_t i = 0; i < present; ++i) {
      for (int64_t j = 0; j < columns; ++j) panel[j * width + i] = x[(first + i) * stride + j];
    }
    for (int64_t j = 0; j < columns; ++j) {
      for (int64_t i = present; i < width; ++i) panel[j * width + i] = T(0);
    }
  }
}

template <class T>
void column_sums(const T* x, int64_t stride, int64_t rows, int64_t column_begin, int64_t column_end,
                 T* sums) {
  for (int64_t j = column_begin; j < column_end; j += kLanes<T>) {
    Vec<T> s{};
    for (int64_t i = 0; i < rows; ++i) s += load(x + i * stride + j);
    store(sums + j, s);
  }
}

}  // namespace
