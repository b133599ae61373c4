// SPDX-License-Identifier: Apache-2.0
// y(i, j) = exp(z(i, j)) / sum over k of exp(z(i, k)), and
// dz(i, j) = y(i, j) (dy(i, j) - sum over k of y(i, k) dy(i, k)).
// z, y, dy, dz: rows x columns at one stride, padded to whole vectors; dz may be dy.
#pragma once

#include "kernels/math.hpp"
#include "kernels/reduce.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// Chooses the functions below, since it has no elementwise form.
template <class T>
struct Softmax {};

template <class T>
void apply_rows(const ActivationArgs<T>& f, Softmax<T>, const T* z, T* y) {
  for (int64_t i = 0; i < f.rows; ++i) {
    const T* zi = z + i * f.stride;
    T* yi = y + i * f.stride;
    const Vec<T> top =
        broadcast(max_of<T>(f.columns, [&](int64_t j) CHAINRULE_LAMBDA { return load(zi + j); }));
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      // exp of what stands in the padding may be infinite, and stages that own columns work on the
      // padding as well.
      store(yi + j,
            select<T>(columns_below<T>(j, f.columns), math::exp<T>(load(zi + j) - top), Vec<T>{}));
    }
    const Vec<T> total = broadcast(
        tree_sum_of<T>(f.columns, [&](int64_t j) CHAINRULE_LAMBDA { return load(yi + j); }));
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) store(yi + j, load(yi + j) / total);
  }
}

template <class T>
void derivative_rows(const ActivationArgs<T>& f, Softmax<T>, const T*, const T* y, const T* dy,
                     T* dz) {
  for (int64_t i = 0; i < f.rows; ++i) {
    const T* yi = y + i * f.stride;
    const T* dyi = dy + i * f.stride;
    const Vec<T> inner = broadcast(tree_sum_of<T>(
        f.columns, [&](int64_t j) CHAINRULE_LAMBDA { return load(yi + j) * load(dyi + j); }));
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const Vec<T> dz_j = load(yi + j) * (load(dyi + j) - inner);
      store(dz + i * f.stride + j, select<T>(columns_below<T>(j, f.columns), dz_j, Vec<T>{}));
    }
  }
}

}  // namespace
