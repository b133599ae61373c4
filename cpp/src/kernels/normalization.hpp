// SPDX-License-Identifier: Apache-2.0
// Batch and layer normalisation, forward and backward.
// With xhat = (x - mean) * inverse and y = gamma xhat + beta, and means over the normalised axis:
// dx = gamma inverse (dy - mean(dy) - xhat mean(dy xhat)) (batch), the same with gamma inside the
// means (layer). References: Ioffe and Szegedy, ICML 2015; Ba, Kiros and Hinton, 2016.
#pragma once

#include "kernels/reduce.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

template <class T>
CHAINRULE_INLINE Vec<T> load_or(const T* p, int64_t j, T otherwise) {
  return p ? load(p + j) : broadcast(otherwise);
}

/// Values are multiplied by this where their sum or their squares leave T's range: a power of two,
/// so small that the squares of all numbers can be summed, and not so small that squares which
/// matter become zero.
template <class T>
constexpr T kShrink = sizeof(T) == 4 ? T(0x1p-80) : T(0x1p-600);

template <class T>
CHAINRULE_INLINE IVec<T> is_finite(Vec<T> v) {
  return abs<T>(v) < T(__builtin_inf());
}

template <class T>
CHAINRULE_INLINE bool all_finite(Vec<T> v) {
  const IVec<T> finite = is_finite<T>(v);
  Lane<T> all = -1;
  for (int i = 0; i < kLanes<T>; ++i) all &= finite[i];
  return all != 0;
}

/// Mean and variance of kLanes columns, of their values times `shrink`; without `shrunk` that is 1.
template <class T>
struct ColumnMoments {
  Vec<T> shrink, mean, variance;

  template <bool shrunk>
  CHAINRULE_INLINE Vec<T> value(const T* x) const {
    if constexpr (shrunk) return load(x) * shrink;
    return load(x);
  }

  template <bool shrunk>
  CHAINRULE_INLINE void measure(const BatchNormArgs<T>& f, int64_t j) {
    const T n = T(f.rows);
    Vec<T> sum{};
    for (int64_t i = 0; i < f.rows; ++i) sum += value<shrunk>(f.x + i * f.stride + j);
    mean = sum / n;
    Vec<T> squares{};
    for (int64_t i = 0; i < f.rows; ++i) {
      const Vec<T> d = value<shrunk>(f.x + i * f.stride + j) - mean;
      squares = fma(d, d, squares);
    }
    variance = squares / n;
  }

  template <bool shrunk>
  CHAINRULE_INLINE void normalize(const BatchNormArgs<T>& f, int64_t j, Vec<T> inverse) const {
    const Vec<T> gamma = load_or(f.gamma, j, T(1));
    const Vec<T> beta = load_or(f.beta, j, T(0));
    for (int64_t i = 0; i < f.rows; ++i) {
      const Vec<T> xhat = (value<shrunk>(f.x + i * f.stride + j) - mean) * inverse;
      store(f.y + i * f.stride + j, fma(gamma, xhat, beta));
    }
  }
};

template <class T>
void batch_norm_forward(const BatchNormArgs<T>& f) {
  const T n = T(f.rows);
  const T unbiased = n / (n - T(1));
  for (int64_t j = f.column_begin; j < f.column_end; j += kLanes<T>) {
    ColumnMoments<T> m;
    m.shrink = broadcast(T(1));
    m.template measure<false>(f, j);
    const bool shrunk = !all_finite<T>(m.variance);
    if (shrunk) {
      m.shrink = select<T>(is_finite<T>(m.variance), m.shrink, broadcast(kShrink<T>));
      m.template measure<true>(f, j);
    }
    const Vec<T> inverse = T(1) / sqrt(m.variance + f.epsilon * m.shrink * m.shrink);
    const Vec<T> mean = m.mean / m.shrink;
    const Vec<T> variance = m.variance / m.shrink / m.shrink;
    store(f.mean + j, mean);
    store(f.inverse + j, inverse * m.shrink);
    // One row has no variance, and its mean is no batch's.
    if (f.rows > 1) {
      const T keep = f.momentum;
      const T take = T(1) - keep;
      store(f.running_mean + j, keep * load(f.running_mean + j) + take * mean);
      store(f.running_variance + j,
            keep * load(f.running_variance + j) + take * (variance * unbiased));
    }
    if (shrunk) {
      m.template normalize<true>(f, j, inverse);
    } else {
      m.template normalize<false>(f, j, inverse);
    }
  }
}

template <class T>
void batch_norm_inference(const BatchNormArgs<T>& f) {
  for (int64_t j = f.column_begin; j < f.column_end; j += kLanes<T>) {
    const Vec<T> mean = load(f.running_mean + j);
    const Vec<T> inverse = T(1) / sqrt(load(f.running_variance + j) + f.epsilon);
    store(f.mean + j, mean);
    store(f.inverse + j, inverse);
    const Vec<T> gamma = load_or(f.gamma, j, T(1));
    const Vec<T> beta = load_or(f.beta, j, T(0));
    for (int64_t i = 0; i < f.rows; ++i) {
      const Vec<T> xhat = (load(f.x + i * f.stride + j) - mean) * inverse;
      store(f.y + i * f.stride + j, fma(gamma, xhat, beta));
    }
  }
}

template <class T>
void batch_norm_backward(const BatchNormArgs<T>& f) {
  const T n = T(f.rows);
  for (int64_t j = f.column_begin; j < f.column_end; j += kLanes<T>) {
    const Vec<T> mean = load(f.mean + j);
    const Vec<T> inverse = load(f.inverse + j);
    Vec<T> sum_dy{};
    Vec<T> sum_dy_xhat{};
    for (int64_t i = 0; i < f.rows; ++i) {
      const Vec<T> dy = load(f.dy + i * f.stride + j);
      sum_dy += dy;
      sum_dy_xhat = fma(dy, (load(f.x + i * f.stride + j) - mean) * inverse, sum_dy_xhat);
    }
    if (f.dgamma) store(f.dgamma + j, sum_dy_xhat);
    if (f.dbeta) store(f.dbeta + j, sum_dy);
    const Vec<T> scale = load_or(f.gamma, j, T(1)) * inverse;
    if (!f.dx) continue;
    const Vec<T> mean_dy = f.fixed ? Vec<T>{} : sum_dy / n;
    const Vec<T> mean_dy_xhat = f.fixed ? Vec<T>{} : sum_dy_xhat / n;
    for (int64_t i = 0; i < f.rows; ++i) {
      const Vec<T> xhat = (load(f.x + i * f.stride + j) - mean) * inverse;
      const Vec<T> dy = load(f.dy + i * f.stride + j);
      store(f.dx + i * f.stride + j, scale * ((dy - mean_dy) - xhat * mean_dy_xhat));
    }
  }
}

/// One row, of its values times `shrink`; without `shrunk` that is 1. Gives the variance, without
/// having written anything where that is not finite and might be by shrinking.
template <class T, bool shrunk>
CHAINRULE_INLINE T layer_norm_row(const LayerNormArgs<T>& f, int64_t i) {
  const T* x = f.x + i * f.stride;
  T* y = f.y + i * f.stride;
  const T n = T(f.columns);
  const T shrink = shrunk ? kShrink<T> : T(1);
  const auto value = [&](int64_t j) CHAINRULE_LAMBDA {
    if constexpr (shrunk) return Vec<T>(load(x + j) * shrink);
    return load(x + j);
  };
  const Vec<T> mean = broadcast(tree_sum_of<T>(f.columns, value) / n);
  const T variance = tree_sum_of<T>(f.columns,
                                    [&](int64_t j) CHAINRULE_LAMBDA {
                                      const Vec<T> d = value(j) - mean;
                                      return d * d;
                                    }) /
                     n;
  if (!shrunk && !(variance < T(__builtin_inf()))) return variance;
  const Vec<T> inverse = T(1) / sqrt(broadcast(variance + f.epsilon * shrink * shrink));
  f.mean[i] = mean[0] / shrink;
  f.inverse[i] = inverse[0] * shrink;
  for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
    const Vec<T> xhat = (value(j) - mean) * inverse;
    store(y + j, fma(load_or(f.gamma, j, T(1)), xhat, load_or(f.beta, j, T(0))));
  }
  return variance;
}

template <class T>
void layer_norm_forward(const LayerNormArgs<T>& f) {
  for (int64_t i = 0; i < f.rows; ++i) {
    const T variance = layer_norm_row<T, false>(f, i);
    if (!(variance < T(__builtin_inf()))) layer_norm_row<T, true>(f, i);
  }
}

template <class T>
void layer_norm_backward(const LayerNormArgs<T>& f) {
  for (int64_t i = 0; i < f.rows; ++i) {
    const T* x = f.x + i * f.stride;
    const T* dy = f.dy + i * f.stride;
    const T n = T(f.columns);
    const Vec<T> mean = broadcast(f.mean[i]);
    const Vec<T> inverse = broadcast(f.inverse[i]);
    const auto xhat = [&](int64_t j) CHAINRULE_LAMBDA { return (load(x + j) - mean) * inverse; };
    const auto dxhat = [&](int64_t j)
                           CHAINRULE_LAMBDA { return load(dy + j) * load_or(f.gamma, j, T(1)); };
    const Vec<T> mean_d = broadcast(tree_sum_of<T>(f.columns, dxhat) / n);
    const Vec<T> mean_d_xhat = broadcast(
        tree_sum_of<T>(f.columns, [&](int64_t j) CHAINRULE_LAMBDA { return dxhat(j) * xhat(j); }) /
        n);
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const Vec<T> dx = inverse * ((dxhat(j) - mean_d) - xhat(j) * mean_d_xhat);
      store(f.dx + i * f.stride + j, select<T>(columns_below<T>(j, f.columns), dx, Vec<T>{}));
    }
  }
}

template <class T>
void affine_gradient(const AffineGradientArgs<T>& f) {
  for (int64_t j = f.column_begin; j < f.column_end; j += kLanes<T>) {
    Vec<T> sum_dy{};
    Vec<T> sum_dy_xhat{};
    for (int64_t i = 0; i < f.rows; ++i) {
      const Vec<T> dy = load(f.dy + i * f.stride + j);
      sum_dy += dy;
      sum_dy_xhat = fma(dy, (load(f.x + i * f.stride + j) - f.mean[i]) * f.inverse[i], sum_dy_xhat);
    }
    if (f.dgamma) store(f.dgamma + j, sum_dy_xhat);
    if (f.dbeta) store(f.dbeta + j, sum_dy);
  }
}

}  // namespace
