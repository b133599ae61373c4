// SPDX-License-Identifier: Apache-2.0
// The numbers of each row of a batch in rows of another length, or with their axes in another
// order. x and y as ReshapeArgs and PermuteShape say. Padding becomes zero.
#pragma once

#include "kernels/copy.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"
#include "kernels/transpose.hpp"

namespace {

using namespace chainrule::kernels;

template <class T>
void reshape(const ReshapeArgs<T>& f) {
  const T* x = f.x;
  T* y = f.y;
  int64_t x_done = 0;  // of a row
  int64_t y_done = 0;
  for (int64_t left = f.rows * f.size; left > 0;) {
    const int64_t x_left = f.x_columns - x_done;
    const int64_t y_left = f.y_columns - y_done;
    const int64_t n = x_left < y_left ? x_left : y_left;
    copy_numbers(x + x_done, y + y_done, n);
    left -= n;
    x_done += n;
    y_done += n;
    if (x_done == f.x_columns) {
      x += f.x_stride;
      x_done = 0;
    }
    if (y_done == f.y_columns) {
      clear_padding(y, f.y_columns, f.y_stride);
      y += f.y_stride;
      y_done = 0;
    }
  }
}

template <class T>
void permute(const PermuteShape& f, int64_t rows, const T* x, T* y) {
  for (int64_t i = 0; i < rows; ++i, x += f.x_row, y += f.y_row) {
    for (int64_t b = 0; b < f.blocks; ++b) {
      const T* source = x + f.x_offsets[b];
      T* target = y + f.y_offsets[b];
      if (!f.transposes) {
        copy_numbers(source, target, f.y_columns);
        clear_padding(target, f.y_columns, f.y_stride);
        continue;
      }
      transpose(source, f.x_step, f.y_columns, f.x_columns, target, f.y_step);
      for (int64_t j = 0; j < f.x_columns; ++j)
        clear_padding(target + j * f.y_step, f.y_columns, f.y_stride);
    }
  }
}

}  // namespace
