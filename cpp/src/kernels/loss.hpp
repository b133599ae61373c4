// SPDX-License-Identifier: Apache-2.0
// Losses and their gradients with respect to the raw outputs z, one struct each, value and
// derivative side by side.
#pragma once

#include "kernels/math.hpp"
#include "kernels/reduce.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"
#include "kernels/transpose.hpp"

namespace {

using namespace chainrule::kernels;

/// Elementwise losses: value(z, t) and derivative(z, t) = d value / dz; `j` is the column.
template <class T>
struct SquaredError {
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const { return (z - t) * (z - t); }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const { return T(2) * (z - t); }
};

/// -1, 0 or 1; a NaN stays one, so that what comes of it is noticed.
template <class T>
CHAINRULE_INLINE Vec<T> sign(Vec<T> x) {
  const Vec<T> negative = select<T>(x < T(0), broadcast(T(-1)), Vec<T>{});
  return math::keep_nan<T>(x, select<T>(x > T(0), broadcast(T(1)), negative));
}

template <class T>
struct AbsoluteError {
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const { return abs<T>(z - t); }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const { return sign<T>(z - t); }
};

template <class T>
struct Huber {
  T delta;
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const {
    const Vec<T> d = abs<T>(z - t);
    return select<T>(d <= delta, T(0.5) * d * d, delta * (d - T(0.5) * delta));
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const {
    const Vec<T> d = z - t;
    return select<T>(abs<T>(d) <= delta, d, delta * sign<T>(d));
  }
};

/// log(cosh(d)) = |d| + log1p(exp(-2 |d|)) - log(2), which cannot overflow; where that cancels,
/// cosh(d) - 1 is u^2 / (2 + 2 u) with u = expm1(|d|).
template <class T>
struct LogCosh {
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const {
    const Vec<T> d = abs<T>(z - t);
    const Vec<T> u = math::expm1<T>(min<T>(d, broadcast(T(1))));
    const Vec<T> near_zero = math::log1p<T>(u * u / (T(2) + T(2) * u));
    const Vec<T> far = d + (math::log1p<T>(math::exp<T>(T(-2) * d)) - T(0.69314718055994530942));
    return select<T>(d < T(1), near_zero, far);
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const {
    return math::tanh<T>(z - t);
  }
};

/// From logits: max(z, 0) - z t + log1p(exp(-|z|)), exact at both ends.
template <class T>
struct BinaryCrossEntropy {
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const {
    return (max<T>(z, Vec<T>{}) - z * t) + math::log1p<T>(math::exp<T>(-abs<T>(z)));
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const {
    return math::sigmoid<T>(z) - t;
  }
};

/// max(0, 1 - s z) with s = +1 for a positive target and -1 otherwise.
template <class T>
struct Hinge {
  CHAINRULE_INLINE Vec<T> side(Vec<T> t) const {
    return select<T>(t > T(0), broadcast(T(1)), broadcast(T(-1)));
  }
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const {
    const Vec<T> margin = T(1) - side(t) * z;
    return margin < T(0) ? Vec<T>{} : margin;
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const {
    const Vec<T> s = side(t);
    return select<T>(T(1) - s * z > T(0), -s, Vec<T>{});
  }
};

/// Pinball loss. Reference: Koenker and Bassett, "Regression quantiles", Econometrica 46, 1978.
template <class T>
struct Quantile {
  const T* quantiles;
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t j) const {
    const Vec<T> q = load(quantiles + j);
    const Vec<T> d = t - z;
    return max<T>(q * d, (q - T(1)) * d);
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t j) const {
    const Vec<T> q = load(quantiles + j);
    const Vec<T> d = t - z;
    return select<T>(d > T(0), -q, select<T>(d < T(0), T(1) - q, Vec<T>{}));
  }
};

/// exp(z) - t z: the Poisson likelihood with a log link, without the term that depends on t alone.
template <class T>
struct Poisson {
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const {
    return math::exp<T>(z) - t * z;
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const {
    return math::exp<T>(z) - t;
  }
};

template <class T, class L>
void elementwise_loss(const LossArgs<T>& f, L loss) {
  const T inverse_columns = T(1) / T(f.columns);
  for (int64_t i = 0; i < f.rows; ++i) {
    const T* z = f.z + i * f.z_stride;
    const T* t = f.targets + i * f.target_stride;
    const T weight = f.row_weights ? f.row_weights[i] : T(1);
    const T sum = tree_sum_of<T>(f.columns, [&](int64_t j) CHAINRULE_LAMBDA {
      return loss.value(load(z + j), load(t + j), j);
    });
    f.row_losses[i] = weight * (sum * inverse_columns);
    if (!f.dz) continue;
    const T scale = weight * f.gradient_scale * inverse_columns;
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const Vec<T> dz = scale * loss.derivative(load(z + j), load(t + j), j);
      store(f.dz + i * f.dz_stride + j, select<T>(columns_below<T>(j, f.columns), dz, Vec<T>{}));
    }
  }
}

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
struct TurnedRows {
  alignas(64) T values[chainrule::kernels::kReductionLanes * kLanes<T>];

  CHAINRULE_INLINE TurnedRows(const T* rows, int64_t stride, int64_t columns) {
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
  const TurnedRows<T> z(f.z + first * f.z_stride, f.z_stride, n);
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
    const TurnedRows<T> given(f.targets + first * f.target_stride, f.target_stride, n);
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
  const Vec<T> weight = f.row_weights ? load(f.row_weights + first) : broadcast(T(1));
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

template <class T>
void cross_entropy(const LossArgs<T>& f) {
  int64_t done = 0;
  if (f.columns <= chainrule::kernels::kReductionLanes) {
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
    const T weight = f.row_weights ? f.row_weights[i] : T(1);
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

template <class T>
void loss(const LossArgs<T>& f) {
  switch (f.kind) {
    case LossKind::mse:
      return elementwise_loss(f, SquaredError<T>{});
    case LossKind::mae:
      return elementwise_loss(f, AbsoluteError<T>{});
    case LossKind::huber:
      return elementwise_loss(f, Huber<T>{f.delta});
    case LossKind::log_cosh:
      return elementwise_loss(f, LogCosh<T>{});
    case LossKind::cross_entropy:
      return cross_entropy(f);
    case LossKind::binary_cross_entropy:
      return elementwise_loss(f, BinaryCrossEntropy<T>{});
    case LossKind::hinge:
      return elementwise_loss(f, Hinge<T>{});
    case LossKind::quantile:
      return elementwise_loss(f, Quantile<T>{f.quantiles});
    case LossKind::poisson:
      return elementwise_loss(f, Poisson<T>{});
  }
}

}  // namespace
