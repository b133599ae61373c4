// SPDX-License-Identifier: Apache-2.0
// Tensors of one shape as one, from the first to the last: y = x0 + x1 + ..., x0 - x1, x0 x1 ...,
// (x0 + x1 + ...) / count, or the largest. Of equal numbers the first is the largest, and takes the
// whole gradient; a NaN counts as larger than all numbers. xs, y, dy, dxs: `size` numbers each,
// whole vectors.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

template <class T, class Join, class Last>
CHAINRULE_INLINE void merge_all(const MergeArgs<T>& f, T* y, Join join, Last last) {
  for (int64_t i = 0; i < f.size; i += kLanes<T>) {
    Vec<T> v = load(f.xs[0] + i);
    for (int64_t k = 1; k < f.count; ++k) v = join(v, load(f.xs[k] + i));
    store(y + i, last(v));
  }
}

template <class T>
void merge_forward(const MergeArgs<T>& f, T* y) {
  const auto sum = [](Vec<T> a, Vec<T> b) CHAINRULE_LAMBDA { return a + b; };
  const auto same = [](Vec<T> v) CHAINRULE_LAMBDA { return v; };
  switch (f.kind) {
    case MergeKind::add:
      return merge_all(f, y, sum, same);
    case MergeKind::subtract:
      return merge_all(f, y, [](Vec<T> a, Vec<T> b) CHAINRULE_LAMBDA { return a - b; }, same);
    case MergeKind::multiply:
      return merge_all(f, y, [](Vec<T> a, Vec<T> b) CHAINRULE_LAMBDA { return a * b; }, same);
    case MergeKind::average:
      return merge_all(f, y, sum, [&](Vec<T> v) CHAINRULE_LAMBDA { return v / T(f.count); });
    case MergeKind::maximum:
      return merge_all(
          f, y,
          [](Vec<T> a, Vec<T> b) CHAINRULE_LAMBDA { return select<T>(exceeds<T>(b, a), b, a); },
          same);
  }
}

/// dx(k) = gradient(k, i) for the vector that begins at i, of each k whose gradient is wanted.
template <class T, class Gradient>
CHAINRULE_INLINE void merge_gradients(const MergeArgs<T>& f, T* const* dxs, Gradient gradient) {
  for (int64_t k = 0; k < f.count; ++k) {
    if (!dxs[k]) continue;
    for (int64_t i = 0; i < f.size; i += kLanes<T>) store(dxs[k] + i, gradient(k, i));
  }
}

template <class T>
CHAINRULE_INLINE Vec<T> product_gradient(const MergeArgs<T>& f, const T* dy, int64_t k, int64_t i) {
  Vec<T> v = load(dy + i);
  for (int64_t other = 0; other < f.count; ++other)
    if (other != k) v = v * load(f.xs[other] + i);
  return v;
}

template <class T>
CHAINRULE_INLINE Vec<T> maximum_gradient(const MergeArgs<T>& f, const T* dy, int64_t k, int64_t i) {
  Vec<T> largest = load(f.xs[0] + i);
  IVec<T> chosen = ibroadcast<T>(k == 0 ? -1 : 0);
  for (int64_t other = 1; other < f.count; ++other) {
    const Vec<T> x = load(f.xs[other] + i);
    const IVec<T> larger = exceeds<T>(x, largest);
    largest = select<T>(larger, x, largest);
    chosen = other == k ? larger : chosen & ~larger;
  }
  return select<T>(chosen, load(dy + i), Vec<T>{});
}

/// Null among dxs: not wanted.
template <class T>
void merge_backward(const MergeArgs<T>& f, const T* dy, T* const* dxs) {
  switch (f.kind) {
    case MergeKind::add:
      return merge_gradients(f, dxs,
                             [&](int64_t, int64_t i) CHAINRULE_LAMBDA { return load(dy + i); });
    case MergeKind::subtract:
      return merge_gradients(f, dxs, [&](int64_t k, int64_t i) CHAINRULE_LAMBDA {
        return k == 0 ? load(dy + i) : -load(dy + i);
      });
    case MergeKind::multiply:
      return merge_gradients(f, dxs, [&](int64_t k, int64_t i) CHAINRULE_LAMBDA {
        return product_gradient(f, dy, k, i);
      });
    case MergeKind::average:
      return merge_gradients(
          f, dxs, [&](int64_t, int64_t i) CHAINRULE_LAMBDA { return load(dy + i) / T(f.count); });
    case MergeKind::maximum:
      return merge_gradients(f, dxs, [&](int64_t k, int64_t i) CHAINRULE_LAMBDA {
        return maximum_gradient(f, dy, k, i);
      });
  }
}

}  // namespace
