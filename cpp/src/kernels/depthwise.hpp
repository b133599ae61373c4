// SPDX-License-Identifier: Apache-2.0
// Convolutions of each channel by itself: channels lie in the lanes, and a tile keeps in registers
// the sums of neighbouring places, or in the gradient of neighbouring kernel columns, for 64 bytes
// of channels. Each sum adds one fused multiply-add a term, in the order that the arguments say.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// Vectors of a unit of channels, and how many of them have their sums in registers.
template <class T>
constexpr int kUnitVectors = int(kRowAlignment<T> / kLanes<T>);
template <class T>
constexpr int kDepthwiseTile = 8 / kUnitVectors<T>;

/// kSums places of a run of columns from its place j on, of place i of a run of rows. x, y: of one
/// image.
template <class T, int kSums>
CHAINRULE_INLINE void depthwise_tile(const DepthwiseArgs<T>& f, const AxisRun& rows, int64_t i,
                                     const AxisRun& columns, int64_t j, const T* x, T* y) {
  constexpr int kVectors = kUnitVectors<T>;
  const T* from = x + (i * rows.step * f.x_width + j * columns.step) * f.stride;
  T* to =
      y + ((rows.first + i * rows.next) * f.y_width + columns.first + j * columns.next) * f.stride;
  for (int64_t panel = 0; panel < f.shape.panels(); ++panel) {
    const int64_t width = f.shape.width(panel);
    for (int64_t c = 0; c < width; c += kVectors * kLanes<T>) {
      const int64_t column = panel * f.shape.panel + c;
      const T* weight = f.weight + f.shape.offset(panel) + c;
      Vec<T> sum[kSums][kVectors];
      for (int v = 0; v < kVectors; ++v) {
        const Vec<T> first = f.bias ? load(f.bias + column + v * kLanes<T>) : Vec<T>{};
        for (int s = 0; s < kSums; ++s) sum[s][v] = first;
      }
      for (int64_t a = 0; a < rows.term_count; ++a) {
        const T* row = from + rows.terms[a].place * f.x_width * f.stride + column;
        const T* entries = weight + rows.terms[a].entry * f.kernel_width * width;
        for (int64_t b = 0; b < columns.term_count; ++b) {
          const T* position = row + columns.terms[b].place * f.stride;
          const T* entry = entries + columns.terms[b].entry * width;
          for (int v = 0; v < kVectors; ++v) {
            const Vec<T> w = load(entry + v * kLanes<T>);
            for (int s = 0; s < kSums; ++s)
              sum[s][v] =
                  fma(load(position + s * columns.step * f.stride + v * kLanes<T>), w, sum[s][v]);
          }
        }
      }
      for (int s = 0; s < kSums; ++s) {
        for (int v = 0; v < kVectors; ++v)
          store(to + s * columns.next * f.stride + column + v * kLanes<T>, sum[s][v]);
      }
    }
  }
}

template <class T>
void depthwise(const DepthwiseArgs<T>& f) {
  constexpr int kTile = kDepthwiseTile<T>;
  const T* x = f.x;
  T* y = f.y;
  for (int64_t image = 0; image < f.images; ++image) {
    for (int64_t r = 0; r < f.rows.count; ++r) {
      const AxisRun& rows = f.rows.runs[r];
      for (int64_t i = 0; i < rows.count; ++i) {
        for (int64_t k = 0; k < f.columns.count; ++k) {
          const AxisRun& columns = f.columns.runs[k];
          int64_t j = 0;
          for (; j + kTile <= columns.count; j += kTile)
            depthwise_tile<T, kTile>(f, rows, i, columns, j, x, y);
          for (; j < columns.count; ++j) depthwise_tile<T, 1>(f, rows, i, columns, j, x, y);
        }
      }
    }
    x += f.x_positions * f.stride;
    y += f.y_positions * f.stride;
  }
}

/// A tile of kernel columns from `first` on, the last one again where there are fewer, of one image
/// and the unit of channels at c of the panel.
template <class T>
CHAINRULE_INLINE void depthwise_gradient_tile(const DepthwiseGradientArgs<T>& f, int64_t first,
                                              int64_t c, bool adds, const T* x, const T* dy) {
  constexpr int kTile = kDepthwiseTile<T>;
  constexpr int kVectors = kUnitVectors<T>;
  const int64_t width = f.shape.width(f.panel);
  const int64_t column = f.panel * f.shape.panel + c;
  Span span[kTile];
  int64_t at[kTile];  // where output 0 of a row reads
  T* g[kTile];
  int64_t begin = f.y_width, common_begin = 0, common_end = f.y_width, end = 0;
  for (int s = 0; s < kTile; ++s) {
    const int64_t entry = first + s < f.kernel_width ? first + s : f.kernel_width - 1;
    span[s] = f.column_spans[entry];
    at[s] = (entry * f.column_dilation + f.column_offset) * f.stride + column;
    g[s] = f.g + entry * width + c;
    begin = span[s].begin < begin ? span[s].begin : begin;
    common_begin = span[s].begin > common_begin ? span[s].begin : common_begin;
    common_end = span[s].end < common_end ? span[s].end : common_end;
    end = span[s].end > end ? span[s].end : end;
  }
  Vec<T> sum[kTile][kVectors];
  for (int s = 0; s < kTile; ++s) {
    for (int v = 0; v < kVectors; ++v) sum[s][v] = adds ? load(g[s] + v * kLanes<T>) : Vec<T>{};
  }
  for (int64_t i = f.outputs.begin; i < f.outputs.end; ++i) {
    const T* row = x + (i * f.row_step + f.row_offset) * f.x_width * f.stride;
    const T* gradients = dy + i * f.y_width * f.stride + column;
    for (int64_t j = begin; j < end; ++j) {
      const T* position = row + j * f.column_step * f.stride;
      Vec<T> gradient[kVectors];
      for (int v = 0; v < kVectors; ++v)
        gradient[v] = load(gradients + j * f.stride + v * kLanes<T>);
      const auto add = [&](int s) CHAINRULE_LAMBDA {
        for (int v = 0; v < kVectors; ++v)
          sum[s][v] = fma(load(position + at[s] + v * kLanes<T>), gradient[v], sum[s][v]);
      };
      if (j >= common_begin && j < common_end) {
        for (int s = 0; s < kTile; ++s) add(s);
      } else {
        for (int s = 0; s < kTile; ++s)
          if (j >= span[s].begin && j < span[s].end) add(s);
      }
    }
  }
  for (int s = 0; s < kTile; ++s) {
    for (int v = 0; v < kVectors; ++v) store(g[s] + v * kLanes<T>, sum[s][v]);
  }
}

template <class T>
void depthwise_gradient(const DepthwiseGradientArgs<T>& f) {
  constexpr int64_t unit = kUnitVectors<T> * kLanes<T>;
  for (int64_t image = 0; image < f.images; ++image) {
    const T* x = f.x + image * f.x_positions * f.stride;
    const T* dy = f.dy + image * f.y_positions * f.stride;
    for (int64_t first = 0; first < f.kernel_width; first += kDepthwiseTile<T>) {
      for (int64_t c = 0; c < f.shape.width(f.panel); c += unit)
        depthwise_gradient_tile(f, first, c, f.adds || image > 0, x, dy);
    }
  }
}

}  // namespace
