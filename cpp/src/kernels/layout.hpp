// SPDX-License-Identifier: Apache-2.0
// How numbers lie in memory, whatever the instruction set.
#pragma once

#include <stdint.h>

namespace chainrule::kernels {

/// Every row of every buffer is padded to this many bytes, whatever the instruction set.
constexpr int64_t kRowAlignmentBytes = 64;

template <class T>
constexpr int64_t kRowAlignment = kRowAlignmentBytes / int64_t(sizeof(T));

/// Reductions run in this many interleaved sums, combined as a fixed tree.
constexpr int kReductionLanes = 16;

/// A (rows x columns) matrix in column panels [columns / panel][rows][panel]: zero-padded, the last
/// panel only as wide as the alignment of rows demands. A vector is a matrix of one row. The sizes
/// of panels and alignments are powers of two: a division takes as long as many multiply-adds, and
/// predictions of single rows and frames ask for widths again and again.
///
///     panel 0      panel 1      panel 2        columns ->
///     +--------+   +--------+   +----..        row 0 of the matrix is split over the panels;
///     | row 0  |   | row 0  |   |ro  ..        in memory panel 0 comes first as a whole, row
///     | row 1  |   | row 1  |   |    ..        after row, then panel 1, and so on; `..` is padding
///     | ...    |   | ...    |   |    ..
///     +--------+   +--------+   +----..
struct PanelShape {
  int64_t rows;
  int64_t columns;
  int64_t panel;      // columns of every panel but the last
  int64_t alignment;  // which the last panel's width is a multiple of

  // Always inlined, since files for several instruction sets include this.
  [[gnu::always_inline]] constexpr int64_t panels() const { return panel_of(columns + panel - 1); }
  /// The panel that a column of the matrix lies in.
  [[gnu::always_inline]] constexpr int64_t panel_of(int64_t column) const {
    return column >> __builtin_ctzll(uint64_t(panel));
  }
  /// The columns of panel p, without its padding and with it, which is the stride of its rows.
  [[gnu::always_inline]] constexpr int64_t own_columns(int64_t p) const {
    const int64_t left = columns - p * panel;
    return left < panel ? left : panel;
  }
  [[gnu::always_inline]] constexpr int64_t width(int64_t p) const {
    const int64_t left = columns - p * panel;
    const int64_t padded = (left + alignment - 1) & -alignment;
    return padded < panel ? padded : panel;
  }
  /// Where panel p begins.
  [[gnu::always_inline]] constexpr int64_t offset(int64_t p) const { return p * panel * rows; }
  /// Where an entry of the matrix is.
  [[gnu::always_inline]] constexpr int64_t index(int64_t row, int64_t column) const {
    const int64_t p = panel_of(column);
    return offset(p) + row * width(p) + (column - p * panel);
  }
};

}  // namespace chainrule::kernels
