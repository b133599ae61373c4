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

template <class T>
void batch_norm_forward(const BatchNormArgs<T>& f) {
  const T n = T(f.rows);
  const T unbiased = f.rows > 1 ? n / (n - T(1)) : T(1);
  for (int64_t j = f.column_begin; j < f.column_end; j += kLanes<T>) {
    Vec<T> sum{};
    for (int64_t i = 0; i < f.rows; ++i) sum += load(f.x + i * f.stride + j);
    const Vec<T> mean = sum / n;
    Vec<T> squares{};
    for (int64_t i = 0; i < f.rows; ++i) {
      const Vec<T> d = load(f.x + i * f.stride + j) - mean;
      squares = fma(d, d, squares);
    }
    const Vec<T> variance = squares / n;
    const Vec<T> inverse = T(1) / sqrt(variance + f.epsilon);
    store(f.mean + j, mean);
    store(f.inverse + j, inverse);
    const T keep = f.momentum;
    const T take = T(1) - keep;
    store(f.running_mean + j, keep * load(f.running_mean + j) + take * mean);
    store(f.running_variance + j,
          keep * load(f.running_variance + j) + take * (variance * unbiased));
    const Vec<T> gamma = load_or(f.gamma, j, T(1));
    const Vec<T> beta = load_or(f.beta, j, T(0));
    for (int64_t i = 0; i < f.rows; ++i) {
      const Vec<T> xhat = (load(f.x + i * f.stride + j) - mean) * inverse;
      store(f.y + i * f.stride + j, fma(gamma, xhat, beta));
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

template <class T>
void layer_norm_forward(const LayerNormArgs<T>& f) {
  for (int64_t i = 0; i < f.rows; ++i) {
    const T* x = f.x + i * f.stride;
    T* y = f.y + i * f.stride;
    const T n = T(f.columns);
    const Vec<T> mean = broadcast(
        tree_sum_of<T>(f.columns, [&](int64_t j) CHAINRULE_LAMBDA { return load(x + j); }) / n);
    const T variance = tree_sum_of<T>(f.columns,
                                      [&](int64_t j) CHAINRULE_LAMBDA {
                                        const Vec<T> d = load(x + j) - mean;
                                        return d * d;
                                      }) /
                       n;
    const Vec<T> inverse = T(1) / sqrt(broadcast(variance + f.epsilon));
    f.mean[i] = mean[0];
    f.inverse[i] = inverse[0];
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const Vec<T> xhat = (load(x + j) - mean) * inverse;
      store(y + j, fma(load_or(f.gamma, j, T(1)), xhat, load_or(f.beta, j, T(0))));
    }
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
