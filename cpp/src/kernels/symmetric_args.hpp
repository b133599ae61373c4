// SPDX-License-Identifier: Apache-2.0
// What the products of Gauss-Newton matrices and their factorization read and write.
#pragma once

#include <stdint.h>

namespace chainrule::kernels {

/// y(r, p) = sum over t, in order, of a(r, t, i) b(r, t, k), for pairs p = (i, k) of columns, those
/// of an i after the other.
template <class T>
struct PairProductArgs {
  int64_t rows;
  int64_t terms;
  const T* a;  // a(r, t, i) at r * a_stride + t * a_term + i
  int64_t a_stride, a_term, a_columns;
  const T* b;  // the same; may be read for a vector beyond its last number
  int64_t b_stride, b_term, b_columns;
  bool symmetric;  // a is b: pairs with i <= k only
  T* y;
  int64_t y_stride;  // room for all pairs and a vector less one number
};

/// Rows [row_begin, row_end) of c (rows x columns), columns [column_begin, column_end), whole
/// vectors, on the way to U^-T c for an upper triangle U.
template <class T>
struct TriangularArgs {
  const T* u;
  int64_t u_stride;
  T* c;
  int64_t c_stride;
  int64_t row_begin, row_end;
  int64_t column_begin, column_end;
  const T* scales;  // 1 / U(i, i)
};

}  // namespace chainrule::kernels
