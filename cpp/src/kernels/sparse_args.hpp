// SPDX-License-Identifier: Apache-2.0
// What products with batches that are mostly zero read and write.
#pragma once

#include <stdint.h>

#include "kernels/layout.hpp"
#include "kernels/product_args.hpp"

namespace chainrule::kernels {

/// Ends the entries of a row.
constexpr int32_t kNoColumn = 0x7fffffff;

/// How many entries ahead the forward pass prefetches weights that exceed L2. Measured: 8 are too
/// few by some percent, 32 no better.
constexpr int kPrefetchDistance = 16;

/// The nonzeros of a batch by row (CSR): those of row i begin at row_offsets[i], with rising
/// columns, and end before a kNoColumn. kPrefetchDistance more may be read behind it.
template <class T>
struct SparseRows {
  const int32_t* columns;
  const T* values;
  const int64_t* row_offsets;
};

/// The same by column (CSC), with rising rows: those of column j are [column_offsets[j],
/// column_offsets[j + 1]).
template <class T>
struct SparseColumns {
  const int32_t* rows;
  const T* values;
  const int32_t* column_offsets;
};

/// A nonzero mask has a bit for each entry of a row or column; the first entry's is the lowest.
constexpr int kBitsPerWord = 64;

constexpr int64_t mask_words(int64_t entries) {
  return (entries + kBitsPerWord - 1) / kBitsPerWord;
}

/// A batch, row-major.
template <class T>
struct NumberTable {
  const T* numbers;
  int64_t stride;
};

/// A batch of bytes, row-major, and the value that each of the 256 stands for.
template <class T>
struct ByteTable {
  const uint8_t* bytes;
  int64_t stride;
  const T* values;
};

/// A block of a nonzero mask, of at most 64 rows and columns, by row and by column.
struct TransposeMaskArgs {
  const uint64_t* by_row;
  int64_t row_stride;
  int64_t rows;
  uint64_t* by_column;
  int64_t column_stride;
  int64_t columns;
  int32_t* counts;  // of nonzeros, by column; added to
};

/// What ForwardArgs asks for, from the nonzeros.
template <class T>
struct SparseForwardArgs {
  PanelShape shape;
  const T* weight;
  const T* bias;
  SparseRows<T> x;
  T* y;
  int64_t y_stride;
  int64_t row_begin, row_end;
  int64_t panel_begin, panel_end;
  int64_t block;       // inputs summed at a time
  int64_t* positions;  // where each row goes on with the next block
  bool exceeds_l2;     // whether the weights do
};

/// The same from the nonzeros of a table X, of numbers or of bytes; row i's mask begins at
/// mask[i * mask_words(inputs)].
template <class T, class X>
struct MaskedForwardArgs {
  PanelShape shape;
  const T* weight;
  const T* bias;
  X x;
  const uint64_t* mask;
  T* y;
  int64_t y_stride;
  int64_t row_begin, row_end;
  int64_t panel_begin, panel_end;
  int64_t block;  // words of the mask summed at a time
};

/// What WeightGradientArgs asks for, from the nonzeros, for panels [panel_begin, panel_end), whose
/// gradients have a stride of g_stride.
template <class T>
struct SparseGradientArgs {
  PanelShape shape;
  int64_t panel_begin, panel_end;
  int64_t input_begin, input_end;
  SparseColumns<T> x;
  const T* dy;
  int64_t dy_stride;
  T* g;
  int64_t g_stride;
  PrefetchCursor* cursor;  // null: none
};

/// The same from the nonzeros of a table X; column j's mask begins at mask[j * mask_words(batch)].
template <class T, class X>
struct MaskedGradientArgs {
  PanelShape shape;
  int64_t panel_begin, panel_end;
  int64_t input_begin, input_end;
  int64_t batch;
  X x;
  const uint64_t* mask;
  const T* dy;
  int64_t dy_stride;
  T* g;
  int64_t g_stride;
  PrefetchCursor* cursor;  // null: none
};

/// The rows of a table that `count` categories a row stand for, side by side in y; zeros for
/// kNoColumn.
template <class T>
struct EmbeddingForwardArgs {
  PanelShape shape;  // of the table: (categories x units)
  const T* weight;
  const int32_t* categories;  // (rows x count)
  int64_t rows, count;
  T* y;
  int64_t y_stride;
};

/// For one panel of a table and its rows [category_begin, category_end): the sums of the parts of
/// dy that belong to a category, each `units` wide, in the order of its entries; g points at row
/// category_begin.
template <class T>
struct EmbeddingGradientArgs {
  PanelShape shape;
  int64_t panel;
  int64_t category_begin, category_end;
  SparseColumns<T> x;  // by category: a row of dy, and as the value which of the row's parts
  const T* dy;
  int64_t dy_stride;
  T* g;
};

}  // namespace chainrule::kernels
