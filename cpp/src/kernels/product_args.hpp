// SPDX-License-Identifier: Apache-2.0
// What products of dense batches with weights read and write.
#pragma once

#include <stdint.h>

#include "kernels/layer_args.hpp"
#include "kernels/layout.hpp"

namespace chainrule::kernels {

/// y(r, :) = x(r, :) W + b for rows [row_begin, row_end) and W's panels [panel_begin, panel_end).
template <class T>
struct ForwardArgs {
  PanelShape shape;  // of W: (inputs x outputs)
  const T* weight;
  const T* bias;  // padded vector, or null for zero
  const T* x;
  int64_t x_stride;
  T* y;
  int64_t y_stride;
  int64_t row_begin, row_end;
  int64_t panel_begin, panel_end;
  int64_t block;      // inputs summed at a time
  bool adds = false;  // to the sums of other terms, which are in y, instead of to b
};

/// y = activation(x W + b) of a single row, all of W's panels.
template <class T>
struct RowArgs {
  PanelShape shape;  // of W: (inputs x outputs)
  const T* weight;
  const T* bias;  // padded vector, or null for zero
  ActivationFunction<T> activation;
};

/// Some of the terms of a row's sums: `count` rows of W from `first` on.
struct RowTerms {
  int64_t first, count;
  bool backwards;  // from the last panels to the first, which changes no sum
};

/// A line of columns, kRowAlignmentBytes of them, of sums over a row's terms.
template <class T>
struct RowStrip {
  const T* weight;  // of the first term
  const T* start;   // what the sums go on from
  T* sums;
};

/// Rows of the caller's array that will be gathered next. Kernels that have loads to spare prefetch
/// them into L2, piece by piece.
struct PrefetchCursor {
  const char* data;
  int64_t row_stride, row_bytes;
  const int64_t* order;  // null: in sequence
  int64_t next, end;     // the next row, and behind the last one
  int64_t offset;        // bytes of the next row that were prefetched already
};

/// g = x^T dy over all `batch` rows, for one panel of W and its rows [input_begin, input_end); g
/// points at row input_begin.
template <class T>
struct WeightGradientArgs {
  PanelShape shape;
  int64_t panel;
  int64_t input_begin, input_end;
  int64_t batch;
  const T* x;
  int64_t x_stride;
  const T* dy;
  int64_t dy_stride;
  T* g;
  int64_t block;           // rows of the batch summed at a time
  PrefetchCursor* cursor;  // null: none
  bool adds = false;       // to the sums of earlier rows, which are in g
};

/// dx(r, :) = dy(r, :) W^T + more(r, :) for `rows` rows, from dy in batch panels (see
/// pack_transposed).
template <class T>
struct InputGradientArgs {
  PanelShape shape;
  const T* weight;
  const T* dy_panels;
  int64_t rows;
  T* dx;
  int64_t dx_stride;
  T* scratch;               // group x chunk x panel
  int64_t group;            // batch panels that use a part of the weights one after the other
  int64_t chunk;            // inputs worked out at a time; whole vectors where there is more
  int64_t block;            // columns summed at a time, whole panels
  const T* more = nullptr;  // at the stride of dx, padding of both is zero; null: nothing
};

}  // namespace chainrule::kernels
