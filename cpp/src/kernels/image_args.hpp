// SPDX-License-Identifier: Apache-2.0
// What the augmentation of images reads and writes.
#pragma once

#include <stdint.h>

namespace chainrule::kernels {

/// An image taken from other places of itself.
template <class T>
struct ResampleArgs {
  int64_t height, width, channels;
  T* image;  // height x width x channels
  /// Where pixel (i, j) comes from, counted from the first row and column of `bordered`:
  ///   column = column_map[0] j + column_map[1] i + column_map[2] + column_shifts(i, j), row as it
  T column_map[3], row_map[3];
  const T* column_shifts;  // height x shift_stride, or null, as the next
  const T* row_shifts;
  int64_t shift_stride;
  /// (height + 3) x (width + 3) x channels; zeros in the first row and column and the last two. The
  /// rest is overwritten.
  T* bordered;
};

/// Displacements: numbers uniform in (-1, 1), smoothed, times a factor.
template <class T>
struct DisplacementArgs {
  uint64_t seed;
  uint32_t use;
  uint64_t stream, first_block;  // a word a pixel, the upper half for columns
  int64_t height, width;
  const T* weights;  // 2 radius + 1
  int64_t radius;
  T factor;
  uint32_t* words;  // height x width, and room for kMostWords more
  T* noise;         // height x stride; zeros behind each row
  T* smoothed;      // height x smoothed_stride; zeros in `radius` columns before and all behind
  int64_t smoothed_stride;
  T* column_shifts;  // height x stride; what comes is added to them
  T* row_shifts;
  int64_t stride;
};

/// More random words than any instruction set makes at once.
constexpr int64_t kMostWords = 64;

}  // namespace chainrule::kernels
