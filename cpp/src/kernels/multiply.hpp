// SPDX-License-Identifier: Apache-2.0
// The one microkernel, C(m, n) = init + sum over k of a(m, k) * b(k, n), and its three
// orientations. Every sum runs in the order of k, one fused multiply-add a term, in one lane:
// blocking and threads cannot change a bit.
#pragma once

#include "kernels/elementwise.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"
#include "kernels/transpose.hpp"

namespace {

using namespace chainrule::kernels;

/// Rows of a tile, so that its sums, one row of b and a broadcast fit the registers.
#if defined(CHAINRULE_ISA_AVX512) || defined(CHAINRULE_ISA_AVX2) || defined(CHAINRULE_ISA_NEON)
constexpr int kTileRows = 6;
#else
constexpr int kTileRows = 2;
#endif

/// Vectors of a panel: 256 bytes where the register file is large, else kRowAlignmentBytes.
#if defined(CHAINRULE_ISA_AVX512)
constexpr int kPanelVectors = 4;
#else
constexpr int kPanelVectors = int(kRowAlignmentBytes / kVectorBytes);
#endif

constexpr int64_t kLineBytes = 64;

// In front of the loop over the terms of full tiles of floats: four in one round. With one a
// processor waits for its own instructions, and a tile of AVX2 reaches two thirds to three quarters
// of the multiply-adds. The portable kernels are to be small.
#ifdef CHAINRULE_ISA_PORTABLE
#define CHAINRULE_UNROLL
#elif defined(__clang__)
#define CHAINRULE_UNROLL _Pragma("unroll 4")
#else
#define CHAINRULE_UNROLL _Pragma("GCC unroll 4")
#endif

template <class T>
constexpr int64_t kPanelColumns = kPanelVectors * kLanes<T>;

CHAINRULE_INLINE int64_t panel_width(const PanelShape& s, int64_t panel) { return s.width(panel); }

/// Lines to prefetch, one with each term of a tile, since hardware prefetchers follow neither long
/// strides nor changes of panel.
struct Prefetch {
  const char* line;
  int64_t step;  // bytes
};

/// The choice for operands that hardware prefetchers follow by themselves.
struct NoPrefetch {};

CHAINRULE_INLINE void prefetch(NoPrefetch) {}
CHAINRULE_INLINE void prefetch(Prefetch& next_line) {
  __builtin_prefetch(next_line.line);
  next_line.line += next_line.step;
}
/// Prefetches a few lines of the rows at the cursor, too few to make a tile's own loads queue.
CHAINRULE_INLINE void prefetch(PrefetchCursor* rows, int64_t terms) {
  if (!rows || rows->next >= rows->end) return;
  const int64_t row = rows->order ? rows->order[rows->next] : rows->next;
  const char* line = rows->data + row * rows->row_stride + rows->offset;
  const int64_t lines = terms / 4 < 16 ? terms / 4 + 1 : 16;
  for (int64_t i = 0; i < lines; ++i) __builtin_prefetch(line + i * kLineBytes, 0, 2);
  rows->offset += lines * kLineBytes;
  if (rows->offset >= rows->row_bytes) {
    rows->offset = 0;
    ++rows->next;
  }
}

/// sum(r, :) += a[r * a_row] * b[:].
template <class T, int MR, int NV>
CHAINRULE_INLINE void add_term(Vec<T> (&sum)[MR][NV], const T* a, int64_t a_row, const T* b) {
  Vec<T> bv[NV];
  for (int v = 0; v < NV; ++v) bv[v] = load(b + v * kLanes<T>);
  for (int r = 0; r < MR; ++r) {
    const Vec<T> av = broadcast(a[r * a_row]);
    for (int v = 0; v < NV; ++v) sum[r][v] = fma(av, bv[v], sum[r][v]);
  }
}

/// sum(r, :) += sum over k of a[r * a_row + k * a_term] * b[k * b_term + :], in the order of k.
template <class T, int MR, int NV, class A>
CHAINRULE_INLINE void accumulate(Vec<T> (&sum)[MR][NV], const T* a, int64_t a_row, int64_t a_term,
                                 const T* b, int64_t b_term, int64_t terms, A next_line) {
  const auto add_next = [&]() CHAINRULE_LAMBDA {
    prefetch(next_line);
    add_term(sum, a, a_row, b);
    a += a_term;
    b += b_term;
  };
  // Terms of a full tile of AVX-512 hide the loop, where no prefetch comes with each.
  constexpr bool hides_loop = kVectorBytes == 64 && sizeof(A) == sizeof(NoPrefetch);
  if constexpr (sizeof(T) == sizeof(float) && MR == kTileRows && NV == kPanelVectors &&
                !hides_loop) {
    CHAINRULE_UNROLL
    for (int64_t k = 0; k < terms; ++k) add_next();
  } else {
    for (int64_t k = 0; k < terms; ++k) add_next();
  }
}

/// What the sums of row r start from: from[r * stride + :], or zero where `from` is null. A bias
/// has stride 0; sums that were begun with earlier terms lie where they were stored.
template <class T>
struct Start {
  const T* from;
  int64_t stride;

  template <int MR, int NV>
  CHAINRULE_INLINE void get(int64_t row, Vec<T> (&s)[MR][NV]) const {
    for (int r = 0; r < MR; ++r) {
      for (int v = 0; v < NV; ++v) {
        s[r][v] = from ? load(from + (row + r) * stride + v * kLanes<T>) : Vec<T>{};
      }
    }
  }
};

/// a = x: forward pass.
template <class T>
struct AlongRows {
  const T* a;
  int64_t a_row;
  const T* b;
  int64_t b_term;
  int64_t terms;

  template <int MR, int NV>
  CHAINRULE_INLINE void add(int64_t row, Vec<T> (&s)[MR][NV]) const {
    accumulate<T, MR, NV>(s, a + row * a_row, a_row, 1, b, b_term, terms, NoPrefetch{});
  }
};

/// a = the transpose of x, by strides alone: weight gradient. A cache line serves several tiles.
template <class T>
struct DownColumns {
  const T* a;
  int64_t a_term;
  const T* b;
  int64_t b_term;
  int64_t terms;
  PrefetchCursor* cursor;

  template <int MR, int NV>
  CHAINRULE_INLINE void add(int64_t row, Vec<T> (&s)[MR][NV]) const {
    prefetch(cursor, terms);
    accumulate<T, MR, NV>(
        s, a + row, 1, a_term, b, b_term, terms,
        Prefetch{reinterpret_cast<const char*>(a + row) + kLineBytes, a_term * int64_t(sizeof(T))});
  }
};

/// Operands where a = W lies in column panels and the sum runs over its columns
/// [column_begin, column_end), which start with a panel: input gradient.
template <class T>
struct OverPanels {
  PanelShape shape;
  const T* weight;
  int64_t first_row;
  int64_t column_begin, column_end;
  const T* b;
  int64_t b_term;

  // Whole panels are as wide as a constant says: no divisions, and loads at constant distances.
  template <int MR, int NV>
  CHAINRULE_INLINE void add(int64_t row, Vec<T> (&s)[MR][NV]) const {
    int64_t column = column_begin;
    for (; column + kPanelColumns<T> <= column_end; column += kPanelColumns<T>)
      add_panel(first_row + row, column, kPanelColumns<T>, kPanelColumns<T>, s);
    if (column < column_end)
      add_panel(first_row + row, column, panel_width(shape, shape.panel_of(column)),
                column_end - column, s);
  }

 private:
  template <int MR, int NV>
  CHAINRULE_INLINE void add_panel(int64_t row, int64_t column, int64_t width, int64_t terms,
                                  Vec<T> (&s)[MR][NV]) const {
    const T* panel = weight + column * shape.rows;
    accumulate<T, MR, NV>(s, panel + row * width, width, 1, b + column * b_term, b_term, terms,
                          Prefetch{reinterpret_cast<const char*>(panel + (row + MR) * width),
                                   MR * int64_t(sizeof(T))});
  }
};

template <class T, int MR, int NV, class Source>
CHAINRULE_INLINE void tile(int64_t row, const Source& source, const Start<T>& start, T* c,
                           int64_t c_stride) {
  Vec<T> s[MR][NV];
  start.get(row, s);
  source.add(row, s);
  for (int r = 0; r < MR; ++r) {
    for (int v = 0; v < NV; ++v) store(c + (row + r) * c_stride + v * kLanes<T>, s[r][v]);
  }
}

/// The rows left over after the full tiles, by tiles of four, two and one: a tile for each number
/// of rows would be half as much code again, for numbers that are mostly even.
template <class T, int MR, int NV, class Source>
CHAINRULE_INLINE void last_tiles(int64_t row, int64_t rows, const Source& source,
                                 const Start<T>& start, T* c, int64_t c_stride) {
  if constexpr (MR < kTileRows) {
    if (rows & MR) {
      tile<T, MR, NV>(row, source, start, c, c_stride);
      row += MR;
    }
  }
  if constexpr (MR > 1) last_tiles<T, MR / 2, NV>(row, rows, source, start, c, c_stride);
}

/// All rows of NV vectors of columns.
template <class T, int NV, class Source>
void strip(int64_t rows, Source source, Start<T> start, T* c, int64_t c_stride) {
  int64_t row = 0;
  for (; row + kTileRows <= rows; row += kTileRows) {
    tile<T, kTileRows, NV>(row, source, start, c, c_stride);
  }
  last_tiles<T, 4, NV>(row, rows - row, source, start, c, c_stride);
}

/// All rows of `width` columns: whole vectors, kPanelVectors of them at most.
template <class T, int NV = kPanelVectors, class Source>
CHAINRULE_INLINE void strip_of_width(int64_t width, int64_t rows, const Source& source,
                                     const Start<T>& start, T* c, int64_t c_stride) {
  if constexpr (NV > 1) {
    if (width < NV * kLanes<T>) {
      strip_of_width<T, NV - 1>(width, rows, source, start, c, c_stride);
      return;
    }
  }
  strip<T, NV>(rows, source, start, c, c_stride);
}

/// Calls part(begin, end) for consecutive parts of `terms`, none longer than `block`; once for
/// none.
template <class Part>
CHAINRULE_INLINE void in_blocks(int64_t terms, int64_t block, Part part) {
  int64_t begin = 0;
  do {
    const int64_t end = terms - begin < block ? terms : begin + block;
    part(begin, end);
    begin = end;
  } while (begin < terms);
}

template <class T>
void forward(const ForwardArgs<T>& f) {
  for (int64_t p = f.panel_begin; p < f.panel_end; ++p) {
    const int64_t width = panel_width(f.shape, p);
    const int64_t column = p * f.shape.panel;
    const T* weight = f.weight + column * f.shape.rows;
    const T* x = f.x + f.row_begin * f.x_stride;
    T* y = f.y + f.row_begin * f.y_stride + column;
    in_blocks(f.shape.rows, f.block, [&](int64_t begin, int64_t end) {
      const AlongRows<T> source{x + begin, f.x_stride, weight + begin * width, width, end - begin};
      const Start<T> start = f.adds || begin > 0 ? Start<T>{y, f.y_stride}
                                                 : Start<T>{f.bias ? f.bias + column : nullptr, 0};
      strip_of_width<T>(width, f.row_end - f.row_begin, source, start, y, f.y_stride);
    });
  }
}

template <class T>
void weight_gradient(const WeightGradientArgs<T>& f) {
  const int64_t width = panel_width(f.shape, f.panel);
  const T* x = f.x + f.input_begin;
  const T* dy = f.dy + f.panel * f.shape.panel;
  in_blocks(f.batch, f.block, [&](int64_t begin, int64_t end) {
    const DownColumns<T> source{x + begin * f.x_stride,
                                f.x_stride,
                                dy + begin * f.dy_stride,
                                f.dy_stride,
                                end - begin,
                                f.cursor};
    const Start<T> start{f.adds || begin > 0 ? f.g : nullptr, width};
    strip_of_width<T>(width, f.input_end - f.input_begin, source, start, f.g, width);
  });
}

template <class T>
void input_gradient(const InputGradientArgs<T>& f) {
  const PanelShape batch{f.shape.columns, f.rows, kPanelColumns<T>, kRowAlignment<T>};
  in_blocks(f.rows, f.group * batch.panel, [&](int64_t first, int64_t last) {
    in_blocks(f.shape.rows, f.chunk, [&](int64_t input, int64_t input_end) {
      const int64_t inputs = input_end - input;
      const auto scratch = [&](int64_t row) { return f.scratch + (row - first) * inputs; };
      in_blocks(f.shape.columns, f.block, [&](int64_t begin, int64_t end) {
        for (int64_t row = first; row < last; row += batch.panel) {
          const int64_t width = panel_width(batch, batch.panel_of(row));
          const OverPanels<T> source{
              f.shape, f.weight, input, begin, end, f.dy_panels + row * batch.rows, width};
          const Start<T> start{begin > 0 ? scratch(row) : nullptr, width};
          strip_of_width<T>(width, inputs, source, start, scratch(row), width);
        }
      });
      for (int64_t row = first; row < last; row += batch.panel) {
        const int64_t width = panel_width(batch, batch.panel_of(row));
        const int64_t present = last - row < width ? last - row : width;
        const int64_t at = row * f.dx_stride + input;
        transpose(scratch(row), width, inputs, present, f.dx + at, f.dx_stride);
        if (!f.more) continue;
        for (int64_t i = 0; i < present; ++i)
          accumulate(f.more + at + i * f.dx_stride, f.dx + at + i * f.dx_stride, inputs);
      }
    });
  });
}

template <class T>
void pack_transposed(const T* x, int64_t stride, int64_t rows, int64_t columns, T* panels) {
  const PanelShape batch{columns, rows, kPanelColumns<T>, kRowAlignment<T>};
  for (int64_t first = 0; first < rows; first += batch.panel) {
    const int64_t width = panel_width(batch, batch.panel_of(first));
    const int64_t present = rows - first < width ? rows - first : width;
    T* panel = panels + first * columns;
    transpose(x + first * stride, stride, present, columns, panel, width);
    for (int64_t j = 0; j < columns; ++j) {
      for (int64_t i = present; i < width; ++i) panel[j * width + i] = T(0);
    }
  }
}

/// sums(j) = sum over i, in order, of x(i, j), for columns from `column` on, NV vectors of them at
/// a time; returns the first column that is left. Where it `adds`, the sums go on from those there.
template <class T, int NV>
CHAINRULE_INLINE int64_t sum_columns(const T* x, int64_t stride, int64_t rows, int64_t column,
                                     int64_t column_end, T* sums, bool adds) {
  for (; column + NV * kLanes<T> <= column_end; column += NV * kLanes<T>) {
    Vec<T> s[NV] = {};
    for (int v = 0; v < NV && adds; ++v) s[v] = load(sums + column + v * kLanes<T>);
    for (int64_t i = 0; i < rows; ++i) {
      for (int v = 0; v < NV; ++v) s[v] += load(x + i * stride + column + v * kLanes<T>);
    }
    for (int v = 0; v < NV; ++v) store(sums + column + v * kLanes<T>, s[v]);
  }
  return column;
}

// Several vectors at a time, so that additions do not wait for each other and lines of x are read
// once.
template <class T>
void column_sums(const T* x, int64_t stride, int64_t rows, int64_t column_begin, int64_t column_end,
                 T* sums, bool adds) {
  int64_t j = sum_columns<T, 4>(x, stride, rows, column_begin, column_end, sums, adds);
  j = sum_columns<T, 2>(x, stride, rows, j, column_end, sums, adds);
  sum_columns<T, 1>(x, stride, rows, j, column_end, sums, adds);
}

}  // namespace
