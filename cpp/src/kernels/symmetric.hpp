// SPDX-License-Identifier: Apache-2.0
// Products of pairs of columns, and U^-T c in three parts, of which Cholesky's factorization
// A = U^T U is made too:
//
//   c(i, :) = (c(i, :) - sum over k < i of U(k, i) c(k, :)) / U(i, i)
//
// in the order of k, one fused multiply-add a term: tiles and blocks cannot change a bit.
#pragma once

#include "kernels/multiply.hpp"
#include "kernels/simd.hpp"
#include "kernels/symmetric_args.hpp"

namespace {

// Stores may be to anything, as the compiler sees it, so that all it needs is copied first.
template <class T>
void pair_products(const PairProductArgs<T>& args) {
  const PairProductArgs<T> f = args;
  const bool sums = f.terms > 1;
  for (int64_t r = 0; r < f.rows; ++r) {
    const T* const a = f.a + r * f.a_stride;
    const T* const b = f.b + r * f.b_stride;
    T* y = f.y + r * f.y_stride;
    for (int64_t i = 0; i < f.a_columns; ++i) {
      const Vec<T> factor = broadcast(a[i]);
      const int64_t first = f.symmetric ? i : 0;
      for (int64_t k = first; k < f.b_columns; k += kLanes<T>) {
        Vec<T> sum = factor * load(b + k);
        for (int64_t t = 1; sums && t < f.terms; ++t)
          sum = fma(broadcast(a[t * f.a_term + i]), load(b + t * f.b_term + k), sum);
        store(y + k - first, sum);  // what is too much is written over next
      }
      y += f.b_columns - first;
    }
  }
}

/// c(row + r, column..) -= sum over terms k of u(k, row + r) c(k, column..); with `Solves`, then
/// among the rows of the tile too, with their scales.
template <class T, int MR, int NV, bool Solves>
CHAINRULE_INLINE void triangular_tile(const TriangularArgs<T>& f, int64_t row, int64_t column,
                                      int64_t begin, int64_t end) {
  T* const to = f.c + row * f.c_stride + column;
  Vec<T> s[MR][NV];
  for (int r = 0; r < MR; ++r)
    for (int v = 0; v < NV; ++v) s[r][v] = load(to + r * f.c_stride + v * kLanes<T>);
  const T* u = f.u + begin * f.u_stride + row;
  const T* c = f.c + begin * f.c_stride + column;
  for (int64_t k = begin; k < end; ++k) {
    Vec<T> cv[NV];
    for (int v = 0; v < NV; ++v) cv[v] = load(c + v * kLanes<T>);
    for (int r = 0; r < MR; ++r) {
      const Vec<T> factor = broadcast(-u[r]);
      for (int v = 0; v < NV; ++v) s[r][v] = fma(factor, cv[v], s[r][v]);
    }
    u += f.u_stride;
    c += f.c_stride;
  }
  if constexpr (Solves) {
    const T* const own = f.u + row * f.u_stride + row;
    for (int r = 0; r < MR; ++r) {
      for (int q = 0; q < r; ++q) {
        const Vec<T> factor = broadcast(-own[q * f.u_stride + r]);
        for (int v = 0; v < NV; ++v) s[r][v] = fma(factor, s[q][v], s[r][v]);
      }
      for (int v = 0; v < NV; ++v) s[r][v] = s[r][v] * broadcast(f.scales[row + r]);
    }
  }
  for (int r = 0; r < MR; ++r)
    for (int v = 0; v < NV; ++v) store(to + r * f.c_stride + v * kLanes<T>, s[r][v]);
}

/// All rows of NV vectors of columns: terms [begin, end), or where rows are solved, those of the
/// rows before each from `begin` on.
template <class T, int NV, bool Solves>
void triangular_strip(const TriangularArgs<T>& f, int64_t column, int64_t begin, int64_t end) {
  int64_t row = f.row_begin;
  for (; row + kTileRows <= f.row_end; row += kTileRows)
    triangular_tile<T, kTileRows, NV, Solves>(f, row, column, begin, Solves ? row : end);
  for (; row < f.row_end; ++row)
    triangular_tile<T, 1, NV, Solves>(f, row, column, begin, Solves ? row : end);
}

template <class T, bool Solves>
CHAINRULE_INLINE void triangular_strips(const TriangularArgs<T>& f, int64_t begin, int64_t end) {
  int64_t column = f.column_begin;
  for (; column + kPanelColumns<T> <= f.column_end; column += kPanelColumns<T>)
    triangular_strip<T, kPanelVectors, Solves>(f, column, begin, end);
  for (; column < f.column_end; column += kLanes<T>)
    triangular_strip<T, 1, Solves>(f, column, begin, end);
}

template <class T>
void subtract_products(const TriangularArgs<T>& f) {
  constexpr int64_t block = 256;  // terms of a strip that stay in a cache
  if (f.row_begin == 0) return;
  in_blocks(f.row_begin, block,
            [&](int64_t begin, int64_t end) { triangular_strips<T, false>(f, begin, end); });
}

template <class T>
void solve_rows(const TriangularArgs<T>& f) {
  triangular_strips<T, true>(f, f.row_begin, f.row_begin);
}

template <class T>
bool factorize_rows(const TriangularArgs<T>& args, T* scales) {
  const TriangularArgs<T> f = args;
  for (int64_t i = f.row_begin; i < f.row_end; ++i) {
    T* const own = f.c + i * f.c_stride;
    for (int64_t j = f.column_begin; j < f.column_end; j += kLanes<T>) {
      Vec<T> s = load(own + j);
      for (int64_t k = f.row_begin; k < i; ++k) {
        const T* const above = f.c + k * f.c_stride;
        s = fma(broadcast(-above[i]), load(above + j), s);
      }
      store(own + j, s);
    }
    const T pivot = own[i];
    if (!(pivot > T(0)) || !(pivot < T(__builtin_inf()))) return false;
    scales[i] = T(1) / T(__builtin_sqrt(double(pivot)));
    for (int64_t j = f.column_begin; j < f.column_end; j += kLanes<T>)
      store(own + j, load(own + j) * broadcast(scales[i]));
  }
  return true;
}

}  // namespace
