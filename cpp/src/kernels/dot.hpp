// SPDX-License-Identifier: Apache-2.0
// Products of positions over their columns: y(p, q) = sum over j of a(p, j) b(q, j), as the fixed
// tree of reduce.hpp, da(p, j) = sum over q, in order, of dy(p, q) b(q, j), and db(q, j) = sum over
// p, in order, of dy(p, q) a(p, j). a: positions x columns, padded; DotArgs has the rest.
#pragma once

#include "kernels/reduce.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

template <class T>
CHAINRULE_INLINE T dot_of(const T* a, const T* b, int64_t n) {
  Lanes<T> sum{};
  int64_t j = 0;
  for (; j + kReductionLanes <= n; j += kReductionLanes) {
    for (int v = 0; v < Lanes<T>::kVectors; ++v) {
      const int64_t at = j + v * kLanes<T>;
      sum.v[v] = fma(load(a + at), load(b + at), sum.v[v]);
    }
  }
  for (int v = 0; j + v * kLanes<T> < n; ++v) {
    const int64_t at = j + v * kLanes<T>;
    const IVec<T> own = columns_below<T>(at, n);
    sum.v[v] = fma(select<T>(own, load(a + at), Vec<T>{}), select<T>(own, load(b + at), Vec<T>{}),
                   sum.v[v]);
  }
  return combine_sum<T>(sum);
}

template <class T>
void dot_forward(const DotArgs<T>& f, T* y) {
  for (int64_t i = 0; i < f.rows; ++i) {
    for (int64_t p = 0; p < f.a_positions; ++p) {
      const T* a = f.a + (i * f.a_positions + p) * f.stride;
      const T* b = f.b + i * f.b_positions * f.stride;
      T* row = y + (i * f.a_positions + p) * f.y_stride;
      for (int64_t q = 0; q < f.b_positions; ++q) row[q] = dot_of(a, b + q * f.stride, f.columns);
      for (int64_t q = f.b_positions; q < f.y_stride; ++q) row[q] = T(0);
    }
  }
}

/// out(j) = sum over k < count, in order, of factors[k * step] x(k, j); zeros behind the columns.
template <class T>
CHAINRULE_INLINE void weighted_sum(const T* factors, int64_t step, int64_t count, const T* x,
                                   int64_t stride, int64_t columns, T* out) {
  for (int64_t j = 0; j < stride; j += kLanes<T>) {
    Vec<T> sum{};
    for (int64_t k = 0; k < count; ++k)
      sum = fma(broadcast(factors[k * step]), load(x + k * stride + j), sum);
    store(out + j, select<T>(columns_below<T>(j, columns), sum, Vec<T>{}));
  }
}

/// da or db null: not wanted.
template <class T>
void dot_backward(const DotArgs<T>& f, const T* dy, T* da, T* db) {
  for (int64_t i = 0; i < f.rows; ++i) {
    const int64_t a_first = i * f.a_positions * f.stride;
    const int64_t b_first = i * f.b_positions * f.stride;
    const T* dy_first = dy + i * f.a_positions * f.y_stride;
    for (int64_t p = 0; da && p < f.a_positions; ++p) {
      weighted_sum(dy_first + p * f.y_stride, 1, f.b_positions, f.b + b_first, f.stride, f.columns,
                   da + a_first + p * f.stride);
    }
    for (int64_t q = 0; db && q < f.b_positions; ++q) {
      weighted_sum(dy_first + q, f.y_stride, f.a_positions, f.a + a_first, f.stride, f.columns,
                   db + b_first + q * f.stride);
    }
  }
}

}  // namespace
