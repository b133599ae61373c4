// SPDX-License-Identifier: Apache-2.0
// Windows of positions as one position each: their sum, or the largest. Columns lie in the lanes.
// x: (batch x_positions) rows, y: (batch y_positions) rows, all of `stride` numbers, whole vectors.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// visit(p) for each position p of a window but the first, in (row, column) order.
template <class Visit>
CHAINRULE_INLINE void after_first(int64_t x_width, Span rows, Span columns, Visit visit) {
  const int64_t first = rows.begin * x_width + columns.begin;
  if (rows.end - rows.begin == 1 && columns.end - columns.begin == 1) return;
  // By far the most common window, without loops.
  if (rows.end - rows.begin == 2 && columns.end - columns.begin == 2) {
    visit(first + 1);
    visit(first + x_width);
    visit(first + x_width + 1);
    return;
  }
  const int64_t width = columns.end - columns.begin;
  for (int64_t p = first + 1; p < first + width; ++p) visit(p);
  for (int64_t i = rows.begin + 1; i < rows.end; ++i)
    for (int64_t p = i * x_width + columns.begin, end = p + width; p < end; ++p) visit(p);
}

/// Has `work` make each strip of neighbouring vectors of each row of y, of one row of the batch:
/// run<vectors>(rows and columns of the window, where the strip begins in a row of x, in y, and y's
/// position).
template <class T, int kVectors, class Work>
CHAINRULE_INLINE void each_window(const WindowShape& f, int64_t stride, Work work) {
  // Rows are whole units, so that no shorter strip is left.
  constexpr int unit = int(kRowAlignment<T> / kLanes<T>);
  constexpr int64_t narrow = unit * kLanes<T>;
  constexpr int64_t wide = kVectors * kLanes<T>;
  static_assert(kVectors % unit == 0);
  for (int64_t i = 0; i < f.y_height; ++i) {
    for (int64_t j = 0; j < f.y_width; ++j) {
      const int64_t position = i * f.y_width + j;
      const int64_t to = position * stride;
      int64_t c = 0;
      for (; c + wide <= stride; c += wide)
        work.template run<kVectors>(f.rows[i], f.columns[j], c, to + c, position);
      for (; c < stride; c += narrow)
        work.template run<unit>(f.rows[i], f.columns[j], c, to + c, position);
    }
  }
}

template <class T, bool kWeighted>
struct WindowSum {
  const T* x;
  T* y;
  WindowFactors<T> factors;
  int64_t x_width, stride;

  CHAINRULE_INLINE Vec<T> term(const T* strip, int64_t p, int v) const {
    const Vec<T> value = load(strip + p * stride + v * kLanes<T>);
    return kWeighted ? value * factors.of_x[p] : value;
  }

  template <int kVectors>
  CHAINRULE_INLINE void run(Span rows, Span columns, int64_t from, int64_t to,
                            int64_t position) const {
    const T* strip = x + from;
    Vec<T> sum[kVectors] = {};
    if (rows.begin < rows.end && columns.begin < columns.end) {
      const int64_t first = rows.begin * x_width + columns.begin;
      for (int v = 0; v < kVectors; ++v) sum[v] = term(strip, first, v);
      after_first(x_width, rows, columns, [&](int64_t p) CHAINRULE_LAMBDA {
        for (int v = 0; v < kVectors; ++v) sum[v] += term(strip, p, v);
      });
    }
    for (int v = 0; v < kVectors; ++v)
      store(y + to + v * kLanes<T>, factors.of_y ? sum[v] * factors.of_y[position] : sum[v]);
  }
};

/// y(q, :) = (sum over positions p of window q, in order, of x(p, :) of_x(p)) of_y(q); 0 for a
/// window without positions.
template <class T>
void sum_windows(const WindowShape& f, const WindowFactors<T>& factors, int64_t batch,
                 int64_t stride, const T* x, T* y) {
  const int64_t x_size = f.x_positions * stride;
  const int64_t y_size = f.y_height * f.y_width * stride;
  for (int64_t n = 0; n < batch; ++n, x += x_size, y += y_size) {
    if (factors.of_x)
      each_window<T, 4>(f, stride, WindowSum<T, true>{x, y, factors, f.x_width, stride});
    else
      each_window<T, 4>(f, stride, WindowSum<T, false>{x, y, factors, f.x_width, stride});
  }
}

template <class T, bool kNotes>
struct WindowMaximum {
  const T* x;
  T* y;
  WindowChoice<T>* chosen;
  int64_t x_width, stride;

  template <int kVectors>
  CHAINRULE_INLINE void run(Span rows, Span columns, int64_t from, int64_t to, int64_t) const {
    const T* strip = x + from;
    const int64_t first = rows.begin * x_width + columns.begin;
    Vec<T> largest[kVectors];
    IVec<T> choice[kVectors] = {};
    for (int v = 0; v < kVectors; ++v) largest[v] = load(strip + first * stride + v * kLanes<T>);
    Lane<T> k = 0;
    after_first(x_width, rows, columns, [&](int64_t p) CHAINRULE_LAMBDA {
      ++k;
      for (int v = 0; v < kVectors; ++v) {
        const Vec<T> value = load(strip + p * stride + v * kLanes<T>);
        const IVec<T> larger = exceeds<T>(value, largest[v]);
        largest[v] = select<T>(larger, value, largest[v]);
        if (kNotes) choice[v] = (larger & ibroadcast<T>(k)) | (~larger & choice[v]);
      }
    });
    for (int v = 0; v < kVectors; ++v) {
      store(y + to + v * kLanes<T>, largest[v]);
      if (kNotes) istore<T>(chosen + to + v * kLanes<T>, choice[v]);
    }
  }
};

/// y(q, :) = the largest x(p, :) of window q, which has positions. Of equal numbers it is the
/// first; a NaN counts as larger than all numbers.
template <class T>
void max_windows(const WindowShape& f, int64_t batch, int64_t stride, const T* x, T* y) {
  const int64_t x_size = f.x_positions * stride;
  const int64_t y_size = f.y_height * f.y_width * stride;
  for (int64_t n = 0; n < batch; ++n, x += x_size, y += y_size)
    each_window<T, 4>(f, stride, WindowMaximum<T, false>{x, y, nullptr, f.x_width, stride});
}

// Three vectors are in use for each.
constexpr int kNotingVectors = kVectorBytes == 16 ? 4 : 2;

/// As max_windows, and notes which position of its window each number comes from: its place in
/// (row, column) order, in the lanes' places of y.
template <class T>
void max_windows_noting(const WindowShape& f, int64_t batch, int64_t stride, const T* x, T* y,
                        WindowChoice<T>* chosen) {
  const int64_t x_size = f.x_positions * stride;
  const int64_t y_size = f.y_height * f.y_width * stride;
  for (int64_t n = 0; n < batch; ++n, x += x_size, y += y_size, chosen += y_size)
    each_window<T, kNotingVectors>(f, stride,
                                   WindowMaximum<T, true>{x, y, chosen, f.x_width, stride});
}

template <class T, bool kDisjoint>
struct WindowMaximumGradient {
  const WindowChoice<T>* chosen;
  const T* dy;
  T* dx;
  int64_t x_width, stride;

  template <int kVectors>
  CHAINRULE_INLINE void run(Span rows, Span columns, int64_t from, int64_t to, int64_t) const {
    IVec<T> choice[kVectors];
    Vec<T> gradient[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      choice[v] = iload<T>(chosen + to + v * kLanes<T>);
      gradient[v] = load(dy + to + v * kLanes<T>);
    }
    Lane<T> k = 0;
    const auto visit = [&](int64_t p) CHAINRULE_LAMBDA {
      for (int v = 0; v < kVectors; ++v) {
        const int64_t at = from + p * stride + v * kLanes<T>;
        const Vec<T> own = select<T>(choice[v] == ibroadcast<T>(k), gradient[v], Vec<T>{});
        store(dx + at, kDisjoint ? own : load(dx + at) + own);
      }
      ++k;
    };
    visit(rows.begin * x_width + columns.begin);
    after_first(x_width, rows, columns, visit);
  }
};

/// dx(p, :) = sum over windows q that chose p, in order, of dy(q, :)
template <class T>
void max_windows_backward(const WindowShape& f, const WindowCover& cover, int64_t batch,
                          int64_t stride, const WindowChoice<T>* chosen, const T* dy, T* dx) {
  const int64_t x_size = f.x_positions * stride;
  const int64_t y_size = f.y_height * f.y_width * stride;
  for (int64_t n = 0; n < batch; ++n, dx += x_size, chosen += y_size, dy += y_size) {
    for (int64_t k = 0; k < cover.cleared_count; ++k)
      for (int64_t c = 0; c < stride; c += kLanes<T>)
        store(dx + cover.cleared[k] * stride + c, Vec<T>{});
    if (cover.disjoint)
      each_window<T, kNotingVectors>(
          f, stride, WindowMaximumGradient<T, true>{chosen, dy, dx, f.x_width, stride});
    else
      each_window<T, kNotingVectors>(
          f, stride, WindowMaximumGradient<T, false>{chosen, dy, dx, f.x_width, stride});
  }
}

}  // namespace
