// SPDX-License-Identifier: Apache-2.0
// What kernels that make a position of several, or of none, read and write.
#pragma once

#include <stdint.h>

namespace chainrule::kernels {

/// The number of a position in its window, as wide as a lane of T.
template <class T>
struct WindowChoiceOf {
  using Type = int64_t;
};
template <>
struct WindowChoiceOf<float> {
  using Type = int32_t;
};
template <class T>
using WindowChoice = typename WindowChoiceOf<T>::Type;

/// Neighbouring places along an axis: [begin, end).
struct Span {
  int64_t begin, end;
};

/// A window of positions of x for each position of y. Positions lie in rows and columns: the window
/// of (i, j) has those in rows[i] and columns[j], in (row, column) order; it may have none.
struct WindowShape {
  int64_t x_width, x_positions;
  int64_t y_height, y_width;
  const Span* rows;
  const Span* columns;
};

/// Whether no two windows share a position; and the positions of x that have to be cleared before
/// each window adds to its own: all, or where windows are disjoint those that are in none.
struct WindowCover {
  bool disjoint;
  const int64_t* cleared;
  int64_t cleared_count;
};

/// Factors of terms, one for each position of x, and of sums, one for each of y. Null: 1.
template <class T>
struct WindowFactors {
  const T* of_x;
  const T* of_y;
};

}  // namespace chainrule::kernels
