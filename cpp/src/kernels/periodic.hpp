// SPDX-License-Identifier: Apache-2.0
// Periodic embeddings of numbers. Of each column j, with z(f) = 2 pi w(j, f) x + b(j, f):
//   y(j, 0) = x,  y(j, 1 + k) = beta(j, k) + sum over f, in order, of cos(z(f)) v(j, k, f)
//   dz(f) = -sin(z(f)) sum over k of dy(j, 1 + k) v(j, k, f)
//   dx = dy(j, 0) + sum over f of dz(f) 2 pi w(j, f)
//   dw(j, f), db(j, f), dv(j, k, f), dbeta(j, k): sums over rows, in order, of 2 pi x dz(f), dz(f),
//   dy(j, 1 + k) cos(z(f)) and dy(j, 1 + k).
// x, dx: rows x columns; y, dy: rows x columns (1 + units); w, b: columns x waves; v: (columns
// units) x waves; beta: columns x units, all four in panels.
// Reference: Holzmuller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and
// boosted trees on tabular data", NeurIPS 2024.
#pragma once

#include "kernels/math.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// An entry of a matrix in panels.
CHAINRULE_INLINE int64_t panel_entry(const PanelShape& s, int64_t row, int64_t column) {
  const int64_t panel = column / s.panel;
  return s.offset(panel) + row * s.width(panel) + column % s.panel;
}

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

/// Some waves' gradients; those behind the last, which are padding, stay 0.
template <class T>
CHAINRULE_INLINE void store_waves(T* to, int64_t left, Vec<T> v) {
  alignas(64) T lanes[kLanes<T>];
  store(lanes, v);
  for (int64_t l = 0; l < kLanes<T> && l < left; ++l) to[l] = lanes[l];
}

/// z / pi
template <class T>
CHAINRULE_INLINE Vec<T> angle(Vec<T> x, Vec<T> frequency, Vec<T> phase) {
  return fma(frequency + frequency, x, phase * broadcast(T(kOverPi)));
}

/// A row in each lane.
template <class T>
void periodic_forward(const PeriodicArgs<T>& f, const T* x, T* y) {
  Vec<T> waves[kMostWaves];
  const PanelShape& s = f.wave_shape;
  for (int64_t i = 0; i < f.rows; i += kLanes<T>) {
    for (int64_t j = 0; j < f.columns; ++j) {
      const Vec<T> number = load_rows(x + j, f.x_stride, i, f.rows);
      T* out = y + j * (f.units + 1);
      store_rows(out, f.y_stride, i, f.rows, number);
      for (int64_t k = 0; k < s.columns; ++k) {
        const int64_t at = panel_entry(s, j, k);
        waves[k] =
            math::cos_pi<T>(angle<T>(number, broadcast(f.frequency[at]), broadcast(f.phase[at])));
      }
      for (int64_t u = 0; u < f.units; ++u) {
        Vec<T> sum = broadcast(f.bias[panel_entry(f.bias_shape, j, u)]);
        for (int64_t k = 0; k < s.columns; ++k)
          sum = fma(waves[k], broadcast(f.weight[panel_entry(f.weight_shape, j * f.units + u, k)]),
                    sum);
        store_rows(out + 1 + u, f.y_stride, i, f.rows, sum);
      }
    }
  }
}

/// A row in each lane.
template <class T>
void periodic_backward(const PeriodicArgs<T>& f, const T* x, const T* dy, T* dx) {
  Vec<T> gradients[kMostPeriodicUnits];
  const PanelShape& s = f.wave_shape;
  for (int64_t i = 0; i < f.rows; i += kLanes<T>) {
    for (int64_t j = 0; j < f.columns; ++j) {
      const Vec<T> number = load_rows(x + j, f.x_stride, i, f.rows);
      const T* of_y = dy + j * (f.units + 1);
      Vec<T> sum = load_rows(of_y, f.y_stride, i, f.rows);
      for (int64_t u = 0; u < f.units; ++u)
        gradients[u] = load_rows(of_y + 1 + u, f.y_stride, i, f.rows);
      for (int64_t k = 0; k < s.columns; ++k) {
        const int64_t at = panel_entry(s, j, k);
        const Vec<T> frequency = broadcast(f.frequency[at]);
        const Vec<T> sine = math::sin_pi<T>(angle<T>(number, frequency, broadcast(f.phase[at])));
        Vec<T> of_wave{};
        for (int64_t u = 0; u < f.units; ++u)
          of_wave =
              fma(gradients[u],
                  broadcast(f.weight[panel_entry(f.weight_shape, j * f.units + u, k)]), of_wave);
        sum = fma(-(sine * of_wave), frequency * broadcast(T(kTwoPi)), sum);
      }
      store_rows(dx + j, f.x_stride, i, f.rows, sum);
    }
  }
}

/// Some waves of a column, side by side in the lanes.
template <class T>
CHAINRULE_INLINE void wave_gradient(const PeriodicArgs<T>& f, const PeriodicGradients<T>& to,
                                    const T* x, const T* dy, int64_t j, int64_t k) {
  const int64_t at = panel_entry(f.wave_shape, j, k);
  const Vec<T> frequency = load(f.frequency + at);
  const Vec<T> phase = load(f.phase + at);
  Vec<T> dfrequency{}, dphase{};
  Vec<T> weights[kMostPeriodicUnits], dweights[kMostPeriodicUnits];
  for (int64_t u = 0; u < f.units; ++u) {
    weights[u] = load(f.weight + panel_entry(f.weight_shape, j * f.units + u, k));
    dweights[u] = Vec<T>{};
  }
  for (int64_t i = 0; i < f.rows; ++i) {
    const Vec<T> number = broadcast(x[i * f.x_stride + j]);
    const T* of_y = dy + i * f.y_stride + j * (f.units + 1) + 1;
    const auto wave = math::sin_cos_pi<T>(angle<T>(number, frequency, phase));
    Vec<T> of_wave{};
    for (int64_t u = 0; u < f.units; ++u) {
      const Vec<T> g = broadcast(of_y[u]);
      of_wave = fma(g, weights[u], of_wave);
      dweights[u] = fma(g, wave.cosine, dweights[u]);
    }
    const Vec<T> dz = -(wave.sine * of_wave);
    dphase += dz;
    dfrequency = fma(dz, number * broadcast(T(kTwoPi)), dfrequency);
  }
  const int64_t left = f.wave_shape.columns - k;
  store_waves(to.frequency + at, left, dfrequency);
  store_waves(to.phase + at, left, dphase);
  for (int64_t u = 0; u < f.units; ++u)
    store_waves(to.weight + panel_entry(f.weight_shape, j * f.units + u, k), left, dweights[u]);
}

/// The gradients of the columns [column_begin, column_end).
template <class T>
void periodic_gradient(const PeriodicArgs<T>& f, const PeriodicGradients<T>& to, const T* x,
                       const T* dy, int64_t column_begin, int64_t column_end) {
  for (int64_t j = column_begin; j < column_end; ++j) {
    // Panels are whole vectors.
    for (int64_t k = 0; k < f.wave_shape.columns; k += kLanes<T>) wave_gradient(f, to, x, dy, j, k);
    for (int64_t u = 0; u < f.units; ++u) {
      Vec<T> sum{};
      for (int64_t i = 0; i < f.rows; ++i)
        sum += broadcast(dy[i * f.y_stride + j * (f.units + 1) + 1 + u]);
      alignas(64) T lanes[kLanes<T>];
      store(lanes, sum);
      to.bias[panel_entry(f.bias_shape, j, u)] = lanes[0];
    }
  }
}

}  // namespace
