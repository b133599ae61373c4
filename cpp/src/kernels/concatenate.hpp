// SPDX-License-Identifier: Apache-2.0
// Tensors beside each other, and apart again: a row of y is the rows of all parts, one behind the
// other. y, dy: rows x (all parts' columns together) at y_stride. Padding becomes zero.
#pragma once

#include "kernels/copy.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

template <class T>
void concatenate(const ColumnBlock<const T>* parts, int64_t count, int64_t rows, T* y,
                 int64_t y_stride) {
  for (int64_t i = 0; i < rows; ++i) {
    T* row = y + i * y_stride;
    int64_t column = 0;
    for (int64_t k = 0; k < count; ++k) {
      copy_numbers(parts[k].data + i * parts[k].stride, row + column, parts[k].columns);
      column += parts[k].columns;
    }
    clear_padding(row, column, y_stride);
  }
}

template <class T>
void split(const T* dy, int64_t y_stride, int64_t rows, const ColumnBlock<T>* parts,
           int64_t count) {
  int64_t column = 0;
  for (int64_t k = 0; k < count; ++k) {
    const ColumnBlock<T>& part = parts[k];
    for (int64_t i = 0; part.data && i < rows; ++i) {
      T* row = part.data + i * part.stride;
      copy_numbers(dy + i * y_stride + column, row, part.columns);
      clear_padding(row, part.columns, part.stride);
    }
    column += part.columns;
  }
}

}  // namespace
