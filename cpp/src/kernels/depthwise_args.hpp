// SPDX-License-Identifier: Apache-2.0
// What convolutions of each channel by itself read and write. Positions are rows of channels, as in
// any tensor, and those outside the image are no terms, so that no image has a border.
#pragma once

#include <stdint.h>

#include "kernels/layout.hpp"
#include "kernels/pooling_args.hpp"

namespace chainrule::kernels {

/// A term of a sum, along one axis: the place that it reads and the kernel's entry.
struct AxisTerm {
  int64_t place, entry;
};

/// Places along an axis, `first` and `count` in all, each `next` from the one before, whose sums
/// have the same kernel entries. `terms` are those of the first; each further sum reads `step`
/// places behind the one before.
struct AxisRun {
  int64_t first, next, count;
  int64_t step;
  const AxisTerm* terms;
  int64_t term_count;
};

/// All places along an axis.
struct AxisRuns {
  const AxisRun* runs;
  int64_t count;
};

/// y(image, place, :) = bias + sum over the place's terms, row by row, of x W.
template <class T>
struct DepthwiseArgs {
  PanelShape shape;  // of W: (kernel positions x channels)
  int64_t kernel_width;
  const T* weight;
  const T* bias;  // padded vector, or null for zero
  AxisRuns rows, columns;
  int64_t images;
  int64_t stride;  // numbers from a position to the next
  const T* x;
  int64_t x_width, x_positions;
  T* y;
  int64_t y_width, y_positions;
};

/// g(column, :) = sum over images and outputs, in order, of x dy, for the kernel's columns in one
/// of its rows and one panel of W.
template <class T>
struct DepthwiseGradientArgs {
  PanelShape shape;
  int64_t panel;
  int64_t kernel_width;
  Span outputs;                  // along rows, that have a term of the kernel row
  const Span* column_spans;      // likewise of each of its columns
  int64_t row_step, row_offset;  // output o reads row o row_step + row_offset
  int64_t column_step, column_dilation, column_offset;  // and o step + entry dilation + offset
  int64_t images;
  int64_t stride;
  const T* x;
  int64_t x_width, x_positions;
  const T* dy;
  int64_t y_width, y_positions;
  T* g;
  bool adds;  // to what is there
};

}  // namespace chainrule::kernels
