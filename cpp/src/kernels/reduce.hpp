// SPDX-License-Identifier: Apache-2.0
// The order of summation, which no instruction set and no number of threads changes. Products add
// up in the order of their index, one fused multiply-add a term (multiply.hpp, sparse.hpp,
// row.hpp). Here are the few sums along a row, such as those of a softmax or of a row's losses:
// kReductionLanes interleaved sums, term j in lane j % kReductionLanes, then halves added to
// halves.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

/// kReductionLanes values, in as many vectors as this instruction set needs.
template <class T>
struct Lanes {
  static constexpr int kVectors = chainrule::kernels::kReductionLanes / kLanes<T>;
  Vec<T> v[kVectors];
};

/// Halves added to halves; the terms are scalars or vectors.
template <class V, int n>
CHAINRULE_INLINE V fold(V (&terms)[n]) {
  for (int half = n / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) terms[i] += terms[i + half];
  }
  return terms[0];
}

template <class T>
CHAINRULE_INLINE T combine_sum(const Lanes<T>& l) {
  T s[chainrule::kernels::kReductionLanes];
  for (int v = 0; v < Lanes<T>::kVectors; ++v) store(s + v * kLanes<T>, l.v[v]);
  return fold(s);
}

/// All bits set in the lanes of columns below n, for the vector that starts at column j.
template <class T>
CHAINRULE_INLINE IVec<T> columns_below(int64_t j, int64_t n) {
  return (lane_index<T>() + Lane<T>(j)) < Lane<T>(n);
}

/// Sum over j < n of term(j), where term gives the vector of columns j, j + 1, ... (read up to the
/// next alignment boundary).
template <class T, class Term>
CHAINRULE_INLINE T tree_sum_of(int64_t n, Term term) {
  constexpr int step = chainrule::kernels::kReductionLanes;
  Lanes<T> sum{};
  int64_t j = 0;
  for (; j + step <= n; j += step) {
    for (int v = 0; v < Lanes<T>::kVectors; ++v) sum.v[v] += term(j + v * kLanes<T>);
  }
  for (int v = 0; j + v * kLanes<T> < n; ++v) {
    const int64_t column = j + v * kLanes<T>;
    sum.v[v] += select<T>(columns_below<T>(column, n), term(column), Vec<T>{});
  }
  return combine_sum<T>(sum);
}

template <class T, class Term>
CHAINRULE_INLINE T max_of(int64_t n, Term term) {
  Vec<T> m = broadcast(-T(__builtin_inf()));
  for (int64_t j = 0; j < n; j += kLanes<T>) {
    m = max<T>(select<T>(columns_below<T>(j, n), term(j), m), m);
  }
  T best[kLanes<T>];
  store(best, m);
  for (int half = kLanes<T> / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) best[i] = best[i + half] > best[i] ? best[i + half] : best[i];
  }
  return best[0];
}

template <class T>
T tree_sum(const T* x, int64_t n) {
  constexpr int step = chainrule::kernels::kReductionLanes;
  T s[step] = {};
  int64_t j = 0;
  for (; j + step <= n; j += step) {
    for (int i = 0; i < step; ++i) s[i] += x[j + i];
  }
  for (int i = 0; j + i < n; ++i) s[i] += x[j + i];
  return fold(s);
}

}  // namespace
