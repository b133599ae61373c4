// SPDX-License-Identifier: Apache-2.0
// What kernels that change a tensor's shape read and write.
#pragma once

#include <stdint.h>

namespace chainrule::kernels {

/// `rows` sequences of `size` numbers, from rows of x_columns numbers to rows of y_columns. Both
/// numbers of columns divide `size`.
template <class T>
struct ReshapeArgs {
  int64_t rows, size;
  const T* x;
  int64_t x_columns, x_stride;
  T* y;
  int64_t y_columns, y_stride;
};

/// The axes of each row of a batch in another order, in `blocks` blocks. Where x's last axis stays
/// the last, a block is a row of y_columns numbers. Else it is a matrix that is transposed:
/// y_columns rows of x_columns numbers at a stride of x_step to x_columns rows of y_columns numbers
/// at a stride of y_step.
struct PermuteShape {
  bool transposes;
  int64_t blocks;
  const int64_t* x_offsets;  // of each block, in numbers from the row's first
  const int64_t* y_offsets;
  int64_t x_columns, x_step;
  int64_t y_columns, y_step;
  int64_t x_row, y_row;  // numbers from one row of the batch to the next
  int64_t y_stride;      // of y's rows, padding included
};

/// Rows of `columns` numbers at one stride: one for each row of a batch on one side, `positions` on
/// the other.
template <class T>
struct PositionsArgs {
  int64_t rows, positions, stride;
  T divisor;
};

}  // namespace chainrule::kernels
