// SPDX-License-Identifier: Apache-2.0
// Embeddings of numbers: sums of some functions b(j, k) of each column j, its basis.
//   y(j, own + u) = beta(j, u) + sum over k, in order, of b(j, k)(x) v(j, u, k)
//   db(j, k) = sum over u of dy(j, own + u) v(j, u, k)
//   dx = dy(j, 0) + sum over k of db(j, k) b'(j, k)(x)
//   dv(j, u, k), dbeta(j, u): sums over rows, in order, of dy(j, own + u) b(j, k)(x), dy(j, own +
//   u)
// With own = 1 there is also y(j, 0) = x; with own = 0 neither it nor dy(j, 0).
// x, dx: rows x columns; y, dy: rows x columns (own + units); v: (columns units) x functions; beta:
// columns x units; what a basis has: columns x functions, all in panels.
//
// Functions<T, Basis> of a basis, made of it and of take(p), which gives the numbers at p for some
// lanes, have value(x); add_slope(x, db, sum), which is sum + db b'(x); evaluate(x), which is the
// value and keeps what add_gradient(x, db) needs for gradients of the basis's own parameters; and
// store_gradient(to, at, left).
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

template <class T, template <class> class Basis>
struct Functions;

/// A column's numbers of kLanes rows; beyond the last row there are more of its own.
template <class T>
CHAINRULE_INLINE Vec<T> load_rows(const T* x, int64_t stride, int64_t row, int64_t rows) {
  alignas(64) T lanes[kLanes<T>];
  for (int64_t l = 0; l < kLanes<T>; ++l)
    lanes[l] = x[(row + l < rows ? row + l : rows - 1) * stride];
  return load(lanes);
}

template <class T>
CHAINRULE_INLINE void store_rows(T* y, int64_t stride, int64_t row, int64_t rows, Vec<T> v) {
  alignas(64) T lanes[kLanes<T>];
  store(lanes, v);
  for (int64_t l = 0; l < kLanes<T> && row + l < rows; ++l) y[(row + l) * stride] = lanes[l];
}

/// Gradients of some functions; those behind the last, which are padding, stay 0.
template <class T>
CHAINRULE_INLINE void store_functions(T* to, int64_t left, Vec<T> v) {
  alignas(64) T lanes[kLanes<T>];
  store(lanes, v);
  for (int64_t l = 0; l < kLanes<T> && l < left; ++l) to[l] = lanes[l];
}

/// A row in each lane.
template <class T, template <class> class Basis>
void embedding_forward(const NumberEmbeddingArgs<T>& f, const Basis<T>& basis, const T* x, T* y) {
  Vec<T> values[kMostFunctions];
  const PanelShape& s = f.basis_shape;
  for (int64_t i = 0; i < f.rows; i += kLanes<T>) {
    for (int64_t j = 0; j < f.columns; ++j) {
      const Vec<T> number = load_rows(x + j, f.x_stride, i, f.rows);
      T* out = y + j * (f.own + f.units);
      if (f.own) store_rows(out, f.y_stride, i, f.rows, number);
      for (int64_t k = 0; k < s.columns; ++k) {
        const int64_t at = s.index(j, k);
        values[k] =
            Functions<T, Basis>(basis, [at](const T* p) { return broadcast(p[at]); }).value(number);
      }
      for (int64_t u = 0; u < f.units; ++u) {
        Vec<T> sum = broadcast(f.bias[f.bias_shape.index(j, u)]);
        for (int64_t k = 0; k < s.columns; ++k)
          sum = fma(values[k], broadcast(f.weight[f.weight_shape.index(j * f.units + u, k)]), sum);
        store_rows(out + f.own + u, f.y_stride, i, f.rows, sum);
      }
    }
  }
}

/// A row in each lane.
template <class T, template <class> class Basis>
void embedding_backward(const NumberEmbeddingArgs<T>& f, const Basis<T>& basis, const T* x,
                        const T* dy, T* dx) {
  Vec<T> gradients[kMostEmbeddingUnits];
  const PanelShape& s = f.basis_shape;
  for (int64_t i = 0; i < f.rows; i += kLanes<T>) {
    for (int64_t j = 0; j < f.columns; ++j) {
      const Vec<T> number = load_rows(x + j, f.x_stride, i, f.rows);
      const T* of_y = dy + j * (f.own + f.units);
      Vec<T> sum{};
      if (f.own) sum = load_rows(of_y, f.y_stride, i, f.rows);
      for (int64_t u = 0; u < f.units; ++u)
        gradients[u] = load_rows(of_y + f.own + u, f.y_stride, i, f.rows);
      for (int64_t k = 0; k < s.columns; ++k) {
        const int64_t at = s.index(j, k);
        Vec<T> db{};
        for (int64_t u = 0; u < f.units; ++u)
          db = fma(gradients[u], broadcast(f.weight[f.weight_shape.index(j * f.units + u, k)]), db);
        sum = Functions<T, Basis>(basis, [at](const T* p) {
                return broadcast(p[at]);
              }).add_slope(number, db, sum);
      }
      store_rows(dx + j, f.x_stride, i, f.rows, sum);
    }
  }
}

/// Some functions of a column, side by side in the lanes.
template <class T, template <class> class Basis>
CHAINRULE_INLINE void functions_gradient(const NumberEmbeddingArgs<T>& f, const Basis<T>& basis,
                                         const NumberEmbeddingGradients<T>& to, const T* x,
                                         const T* dy, int64_t j, int64_t k) {
  const int64_t at = f.basis_shape.index(j, k);
  Functions<T, Basis> functions(basis, [at](const T* p) { return load(p + at); });
  Vec<T> weights[kMostEmbeddingUnits], dweights[kMostEmbeddingUnits];
  for (int64_t u = 0; u < f.units; ++u) {
    weights[u] = load(f.weight + f.weight_shape.index(j * f.units + u, k));
    dweights[u] = Vec<T>{};
  }
  for (int64_t i = 0; i < f.rows; ++i) {
    const Vec<T> number = broadcast(x[i * f.x_stride + j]);
    const T* of_y = dy + i * f.y_stride + j * (f.own + f.units) + f.own;
    const Vec<T> value = functions.evaluate(number);
    Vec<T> db{};
    for (int64_t u = 0; u < f.units; ++u) {
      const Vec<T> g = broadcast(of_y[u]);
      db = fma(g, weights[u], db);
      dweights[u] = fma(g, value, dweights[u]);
    }
    functions.add_gradient(number, db);
  }
  const int64_t left = f.basis_shape.columns - k;
  functions.store_gradient(to, at, left);
  for (int64_t u = 0; u < f.units; ++u)
    store_functions(to.weight + f.weight_shape.index(j * f.units + u, k), left, dweights[u]);
}

/// The gradients of the columns [column_begin, column_end).
template <class T, template <class> class Basis>
void embedding_gradient(const NumberEmbeddingArgs<T>& f, const Basis<T>& basis,
                        const NumberEmbeddingGradients<T>& to, const T* x, const T* dy,
                        int64_t column_begin, int64_t column_end) {
  for (int64_t j = column_begin; j < column_end; ++j) {
    // Panels are whole vectors.
    for (int64_t k = 0; k < f.basis_shape.columns; k += kLanes<T>)
      functions_gradient(f, basis, to, x, dy, j, k);
    for (int64_t u = 0; u < f.units; ++u) {
      Vec<T> sum{};
      for (int64_t i = 0; i < f.rows; ++i)
        sum += broadcast(dy[i * f.y_stride + j * (f.own + f.units) + f.own + u]);
      alignas(64) T lanes[kLanes<T>];
      store(lanes, sum);
      to.bias[f.bias_shape.index(j, u)] = lanes[0];
    }
  }
}

}  // namespace
