// SPDX-License-Identifier: Apache-2.0
// y(i, j) = x(i, j) for x(i, j) > 0, else s(j) x(i, j); dx(i, j) = dy(i, j) times 1 or s(j), and
// ds(j) = sum over rows i, in order, of dy(i, j) x(i, j) where x(i, j) <= 0.
// x, y, dy, dx: rows x columns at one stride, padded to whole vectors; s, ds: columns, padded.
// Reference: He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

template <class T>
void prelu_forward(const PreluArgs<T>& f) {
  for (int64_t i = 0; i < f.rows; ++i) {
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const Vec<T> x = load(f.x + i * f.stride + j);
      store(f.y + i * f.stride + j, select<T>(x > T(0), x, load(f.slope + j) * x));
    }
  }
}

template <class T>
void prelu_backward(const PreluArgs<T>& f) {
  for (int64_t i = 0; i < f.rows; ++i) {
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const Vec<T> x = load(f.x + i * f.stride + j);
      const Vec<T> dy = load(f.dy + i * f.stride + j);
      store(f.dx + i * f.stride + j, select<T>(x > T(0), dy, load(f.slope + j) * dy));
    }
  }
}

/// The gradient of the columns [column_begin, column_end), whole vectors.
template <class T>
void prelu_gradient(const PreluArgs<T>& f, int64_t column_begin, int64_t column_end) {
  for (int64_t j = column_begin; j < column_end; j += kLanes<T>) {
    Vec<T> sum{};
    for (int64_t i = 0; i < f.rows; ++i) {
      const Vec<T> x = load(f.x + i * f.stride + j);
      sum = fma(load(f.dy + i * f.stride + j), select<T>(x > T(0), Vec<T>{}, x), sum);
    }
    store(f.dslope + j, sum);
  }
}

}  // namespace
