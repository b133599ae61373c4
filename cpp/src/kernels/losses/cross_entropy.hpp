// SPDX-License-Identifier: Apache-2.0
// -sum over j of a_j log p_j with p = softmax(z) and a = c q, c the class weights and
// q = (1 - smoothing) t + smoothing / columns; of derivative p_j sum(a) - a_j.
// z, dz, targets: rows x columns at their strides, padded to whole vectors; labels: rows; class
// weights: columns.
// Reference: Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR
// 2016, for the smoothing.
#pragma once

#include "kernels/math.hpp"
#include "kernels/reduce.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"
#include "kernels/transpose.hpp"

namespace {

using namespace chainrule::kernels;

/// The target distribution of one row, times the class weights: a label's one-hot row or the row
/// given, smoothed towards uniform. With a = target(j), the loss is sum a_j (log sum exp z - z_j),
/// its gradient p_j sum(a) - a_j.
template <class T>
struct ClassTarget {
  const T* row;  // null: label
  Lane<T> label;
  T keep, spread;  // 1 - smoothing, smoothing / classes
  const T* class_weights;

  CHAINRULE_INLINE Vec<T> operator()(int64_t j) const {
    const Vec<T> t =
        row ? load(row + j)
            : select<T>((lane_index<T>() + Lane<T>(j)) == label, broadcast(T(1)), Vec<T>{});
    const Vec<T> smoothed = keep * t + spread;
    return class_weights ? smoothed * load(class_weights + j) : smoothed;
  }
};

/// Columns [0, columns) of kLanes rows, a row in each lane.
template <class T>
struct TransposedRows {
  alignas(64) T values[chainrule::kernels::kReductionLanes * kLanes<T>];

  CHAINRULE_INLINE TransposedRows(const T* rows, int64_t stride, int64_t columns) {
    for (int64_t j = 0; j < columns; j += kLanes<T>)
      transpose_square(rows + j, stride, values + j * kLanes<T>, int64_t(kLanes<T>));
  }
  CHAINRULE_INLINE Vec<T> operator[](int64_t column) const {
    return load(values + column * kLanes<T>);
  }
};

/// What cross_entropy does, with the same bits, for kLanes rows at once of at most kReductionLanes
/// columns: so narrow a row would leave most of its vector empty.
template <class T>
CHAINRULE_INLINE void narrow_cross_entropy(const LossArgs<T>& f, int64_t first) {
  using Terms = Vec<T>[chainrule::kernels::kReductionLanes];
  const int64_t n = f.columns;
  const TransposedRows<T> z(f.z + first * f.z_stride, f.z_stride, n);
  Vec<T> top = broadcast(-T(__builtin_inf()));
  for (int64_t j = 0; j < n; ++j) top = max<T>(z[j], top);
  Terms power, terms{};
  for (int64_t j = 0; j < n; ++j) terms[j] = power[j] = math::exp<T>(z[j] - top);
  const Vec<T> total = fold(terms);
  const Vec<T> log_total = math::log<T>(total);

  Terms target{};
  const T keep = T(1) - f.label_smoothing, spread = f.label_smoothing / T(n);
  if (f.labels) {
    IVec<T> label;
    for (int i = 0; i < kLanes<T>; ++i) label[i] = f.labels[first + i];
    for (int64_t j = 0; j < n; ++j)
      target[j] = select<T>(label == Lane<T>(j), broadcast(T(1)), Vec<T>{});
  } else {
    const TransposedRows<T> given(f.targets + first * f.target_stride, f.target_stride, n);
    for (int64_t j = 0; j < n; ++j) target[j] = given[j];
  }
  Terms masses{}, losses{};
  for (int64_t j = 0; j < n; ++j) {
    target[j] = keep * target[j] + spread;
    if (f.class_weights) target[j] *= f.class_weights[j];
    masses[j] = target[j];
    losses[j] = select<T>(target[j] != T(0), target[j] * (log_total - (z[j] - top)), Vec<T>{});
  }
  const Vec<T> mass = fold(masses);
  const Vec<T> weight = f.sample_weights ? load(f.sample_weights + first) : broadcast(T(1));
  store(f.row_losses + first, weight * fold(losses));
  if (!f.dz) return;
  const Vec<T> scale = weight * f.gradient_scale;
  alignas(64) T dz[chainrule::kernels::kReductionLanes * kLanes<T>] = {};
  for (int64_t j = 0; j < n; ++j)
    store(dz + j * kLanes<T>, scale * (power[j] / total * mass - target[j]));
  for (int64_t j = 0; j < n; j += kLanes<T>)
    transpose_square(dz + j * kLanes<T>, int64_t(kLanes<T>), f.dz + first * f.dz_stride + j,
                     f.dz_stride);
}

/// Chooses the function below, since it needs whole rows.
template <class T>
struct CrossEntropy {
  CHAINRULE_INLINE explicit CrossEntropy(const LossArgs<T>&) {}
};

template <class T>
void apply_loss(const LossArgs<T>& f, CrossEntropy<T>) {
  int64_t done = 0;
  if (sizeof(T) <= sizeof(double) && f.columns <= chainrule::kernels::kReductionLanes) {
    for (; done + kLanes<T> <= f.rows; done += kLanes<T>) narrow_cross_entropy(f, done);
  }
  for (int64_t i = done; i < f.rows; ++i) {
    const T* z = f.z + i * f.z_stride;
    const ClassTarget<T> target{f.labels ? nullptr : f.targets + i * f.target_stride,
                                f.labels ? f.labels[i] : 0, T(1) - f.label_smoothing,
                                f.label_smoothing / T(f.columns), f.class_weights};
    const T top = max_of<T>(f.columns, [&](int64_t j) CHAINRULE_LAMBDA { return load(z + j); });
    const T total = tree_sum_of<T>(
        f.columns, [&](int64_t j) CHAINRULE_LAMBDA { return math::exp<T>(load(z + j) - top); });
    const T log_total = math::log<T>(broadcast(total))[0];
    const T mass = tree_sum_of<T>(f.columns, target);
    const T sum = tree_sum_of<T>(f.columns, [&](int64_t j) CHAINRULE_LAMBDA {
      const Vec<T> a = target(j);
      return select<T>(a != T(0), a * (log_total - (load(z + j) - top)), Vec<T>{});
    });
    const T weight = f.sample_weights ? f.sample_weights[i] : T(1);
    f.row_losses[i] = weight * sum;
    if (!f.dz) continue;
    const T scale = weight * f.gradient_scale;
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const Vec<T> p = math::exp<T>(load(z + j) - top) / broadcast(total);
      const Vec<T> dz = scale * (p * mass - target(j));
      store(f.dz + i * f.dz_stride + j, select<T>(columns_below<T>(j, f.columns), dz, Vec<T>{}));
    }
  }
}

}  // namespace
