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

/// Terms k of a tile: -u(k, row..) at u + k * u_stride and c(k, column..) at c + k * c_stride.
template <class T>
struct TriangularTerms {
  const T* u;
  int64_t u_stride;
  const T* c;
  int64_t c_stride;
  int64_t count;
};

/// c(row + r, column..) += sum over the terms; with `Solves`, then among the rows of the tile too,
/// with their scales. The terms' u has its sign changed, unless rows are solved.
template <class T, int MR, int NV, bool Solves>
CHAINRULE_INLINE void triangular_tile(const TriangularArgs<T>& f, int64_t row, int64_t column,
                                      const TriangularTerms<T>& terms) {
  T* const to = f.c + row * f.c_stride + column;
  Vec<T> s[MR][NV];
  for (int r = 0; r < MR; ++r)
    for (int v = 0; v < NV; ++v) s[r][v] = load(to + r * f.c_stride + v * kLanes<T>);
  const T* u = terms.u;
  const T* c = terms.c;
  for (int64_t k = 0; k < terms.count; ++k) {
    Vec<T> cv[NV];
    for (int v = 0; v < NV; ++v) cv[v] = load(c + v * kLanes<T>);
    for (int r = 0; r < MR; ++r) {
      const Vec<T> factor = broadcast(Solves ? -u[r] : u[r]);
      for (int v = 0; v < NV; ++v) s[r][v] = fma(factor, cv[v], s[r][v]);
    }
    u += terms.u_stride;
    c += terms.c_stride;
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

/// Calls part.template operator()<NV>(column) for the vectors of all columns, NV at a time.
template <class T, class Part>
CHAINRULE_INLINE void in_strips(const TriangularArgs<T>& f, Part part) {
  int64_t column = f.column_begin;
  for (; column + kPanelColumns<T> <= f.column_end; column += kPanelColumns<T>)
    part.template operator()<kPanelVectors>(column);
  for (; column < f.column_end; column += kLanes<T>) part.template operator()<1>(column);
}

/// Calls part.template operator()<MR>(row) for all rows, MR at a time.
template <class Part>
CHAINRULE_INLINE void in_tiles(int64_t begin, int64_t end, Part part) {
  int64_t row = begin;
  for (; row + kTileRows <= end; row += kTileRows) part.template operator()<kTileRows>(row);
  for (; row < end; ++row) part.template operator()<1>(row);
}

/// The stride between rows of a matrix is pages long. What several tiles read is packed first.
template <class T>
void subtract_products(const TriangularArgs<T>& f) {
  constexpr int64_t most_terms = 128;
  constexpr int64_t most_rows = 48;
  alignas(64) T u[most_terms * most_rows];
  alignas(64) T c[most_terms * kPanelColumns<T>];
  if (f.row_begin == 0) return;
  in_blocks(f.row_end - f.row_begin, most_rows, [&](int64_t first, int64_t last) {
    const int64_t row_begin = f.row_begin + first;
    const int64_t rows = last - first;
    in_blocks(f.row_begin, most_terms, [&](int64_t begin, int64_t end) {
      const int64_t terms = end - begin;
      for (int64_t k = 0; k < terms; ++k)
        for (int64_t r = 0; r < rows; ++r)
          u[k * most_rows + r] = -f.u[(begin + k) * f.u_stride + row_begin + r];
      in_strips(f, [&]<int NV>(int64_t column) {
        constexpr int64_t width = NV * kLanes<T>;
        const T* const from = f.c + begin * f.c_stride + column;
        for (int64_t k = 0; k < terms; ++k)
          for (int v = 0; v < NV; ++v)
            store(c + k * width + v * kLanes<T>, load(from + k * f.c_stride + v * kLanes<T>));
        in_tiles(row_begin, row_begin + rows, [&]<int MR>(int64_t row) {
          triangular_tile<T, MR, NV, false>(f, row, column,
                                            {u + row - row_begin, most_rows, c, width, terms});
        });
      });
    });
  });
}

template <class T>
void solve_rows(const TriangularArgs<T>& f) {
  in_strips(f, [&]<int NV>(int64_t column) {
    in_tiles(f.row_begin, f.row_end, [&]<int MR>(int64_t row) {
      triangular_tile<T, MR, NV, true>(
          f, row, column,
          {f.u + f.row_begin * f.u_stride + row, f.u_stride,
           f.c + f.row_begin * f.c_stride + column, f.c_stride, row - f.row_begin});
    });
  });
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
