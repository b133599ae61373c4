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
/// panel only as wide as the alignment of rows demands. A vector is a matrix of one row.
struct PanelShape {
  int64_t rows;
  int64_t columns;
  int64_t panel;      // columns of every panel but the last
  int64_t alignment;  // the last panel's width is a multiple of this
};

}  // namespace chainrule::kernels
