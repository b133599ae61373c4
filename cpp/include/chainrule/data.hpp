// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace chainrule {

enum class DataType { uint8, float32, float64 };

/// A table of numbers somewhere in memory, read in place: any strides (in bytes), never copied as a
/// whole.
struct RowsView {
  const void* data = nullptr;
  DataType type = DataType::float32;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 0;
};

inline RowsView view(const float* data, std::int64_t rows, std::int64_t columns) {
  return {data, DataType::float32, rows, columns, columns * 4, 4};
}
inline RowsView view(const double* data, std::int64_t rows, std::int64_t columns) {
  return {data, DataType::float64, rows, columns, columns * 8, 8};
}
inline RowsView view(const std::uint8_t* data, std::int64_t rows, std::int64_t columns) {
  return {data, DataType::uint8, rows, columns, columns, 1};
}

/// Whether a first dense layer leaves out zeros of its input. The results' bits are the same;
/// `automatic` looks at a sample of the rows and takes what should be faster.
enum class InputSparsity { automatic, dense, sparse };

/// Of "auto", "dense" or "sparse"; throws Error for another name.
InputSparsity input_sparsity(std::string_view name);

/// What each row should give, and how much it counts.
struct TargetsView {
  const std::int64_t* labels = nullptr;    // class indices (cross_entropy), or
  RowsView values;                         // one row of numbers per row of x
  const double* sample_weights = nullptr;  // one per row, finite and >= 0; null: all 1
  /// `classes` of them, finite and >= 0: one per output, or two for a single output; null: all 1.
  const double* class_weights = nullptr;
  std::int64_t classes = 0;
  std::int64_t rows = 0;  // of x, and of `labels` or `values`
};

}  // namespace chainrule
