// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/data_type.hpp"
#include "chainrule/export.h"

namespace chainrule {

/// A table of numbers somewhere in memory, read in place: any strides (in bytes), never copied as a
/// whole. Or compressed sparse rows, where `offsets` is given: `data` then holds the stored values
/// one behind the other, those of row i from offsets[i] to before offsets[i + 1], and `indices`
/// their columns, which must rise within a row; these have no integers but uint8. Nothing is
/// checked on the way; see check_compressed. Trainer::fit and evaluate refuse NaN and infinities
/// (check_finite does); prediction does not look for them and gives what comes of them.
struct RowsView {
  const void* data = nullptr;
  DataType type = DataType::float32;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 0;
  const void* offsets = nullptr;  // rows + 1 of them
  const void* indices = nullptr;
  std::int64_t stored = 0;    // values, and indices
  bool wide_offsets = false;  // int64, else int32
  bool wide_indices = false;

  bool compressed() const { return offsets != nullptr; }
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
inline RowsView view(const std::int32_t* data, std::int64_t rows, std::int64_t columns) {
  return {data, DataType::int32, rows, columns, columns * 4, 4};
}
inline RowsView view(const std::int64_t* data, std::int64_t rows, std::int64_t columns) {
  return {data, DataType::int64, rows, columns, columns * 8, 8};
}

/// Rows for each input of a network, in the order of its inputs, and as many for each; a RowsView
/// stands for those of an only input. Refers to memory of the caller, so it is for arguments alone.
class Inputs {
 public:
  Inputs() = default;
  Inputs(const RowsView& x) : first_(&x), size_(1) {}
  Inputs(const std::vector<RowsView>& x) : first_(x.data()), size_(x.size()) {}

  std::size_t size() const { return size_; }
  const RowsView& operator[](std::size_t input) const { return first_[input]; }
  const RowsView* begin() const { return first_; }
  const RowsView* end() const { return first_ + size_; }
  /// Each of them has as many.
  std::int64_t rows() const { return size_ > 0 ? first_->rows : 0; }

 private:
  const RowsView* first_ = nullptr;
  std::size_t size_ = 0;
};

/// Inputs that own the views, to be kept or returned.
struct InputRows {
  InputRows() = default;
  InputRows(const RowsView& x) : inputs{x} {}
  InputRows(std::vector<RowsView> x) : inputs(std::move(x)) {}
  operator Inputs() const { return inputs; }

  std::int64_t rows() const { return Inputs(inputs).rows(); }

  std::vector<RowsView> inputs;
};

/// Where the stored values of row i of compressed rows begin; i may be the number of rows.
inline std::int64_t offset_at(const RowsView& x, std::int64_t i) {
  return x.wide_offsets ? static_cast<const std::int64_t*>(x.offsets)[i]
                        : static_cast<const std::int32_t*>(x.offsets)[i];
}

/// Throws Error naming the first row of compressed rows with offsets or indices out of range.
CHAINRULE_API void check_compressed(const RowsView& x, const char* name);

/// Whether the indices of each of the checked rows rise: none twice, none out of order.
CHAINRULE_API bool has_rising_indices(const RowsView& x);

/// Whether any of the memory that x lies in, from its first byte to its last, is in [begin, end).
CHAINRULE_API bool overlaps(const RowsView& x, const void* begin, const void* end);

/// Adjacent rows of `columns` values; throws Error when `values` is not a whole number of them.
CHAINRULE_API RowsView view(std::span<const float> values, std::int64_t columns);
CHAINRULE_API RowsView view(std::span<const double> values, std::int64_t columns);
CHAINRULE_API RowsView view(std::span<const std::uint8_t> values, std::int64_t columns);
CHAINRULE_API RowsView view(std::span<const std::int32_t> values, std::int64_t columns);
CHAINRULE_API RowsView view(std::span<const std::int64_t> values, std::int64_t columns);

/// Whether a first dense layer leaves out zeros of its input. The results' bits are the same;
/// `automatic` looks at a sample of the rows and takes what should be faster.
enum class InputSparsity { automatic, dense, sparse };

/// The value for "auto", "dense" or "sparse"; throws Error for another name.
CHAINRULE_API InputSparsity input_sparsity(std::string_view name);

/// What each row should give, and how much it counts.
struct TargetsView {
  /// Class indices (cross_entropy), one for each position of an output: rows x label_positions. Or
  const std::int64_t* labels = nullptr;
  std::int64_t label_positions = 1;
  RowsView values;  // one row of numbers per row of x, compressed or not
  /// Finite and >= 0, one per row or one for each position of an output: rows x weight_positions;
  /// null: all 1.
  const double* sample_weights = nullptr;
  std::int64_t weight_positions = 1;
  /// `classes` of them, finite and >= 0: one per output, or two for a single output; null: all 1.
  const double* class_weights = nullptr;
  std::int64_t classes = 0;
  std::int64_t rows = 0;  // of x, and of `labels` or `values`
};

/// Targets for each output of a network, in the order of its outputs; a TargetsView stands for
/// those of an only output. Refers to memory of the caller, so it is for arguments alone.
class Targets {
 public:
  Targets() = default;
  Targets(const TargetsView& y) : first_(&y), size_(1) {}
  Targets(const std::vector<TargetsView>& y) : first_(y.data()), size_(y.size()) {}

  std::size_t size() const { return size_; }
  const TargetsView& operator[](std::size_t output) const { return first_[output]; }
  const TargetsView* begin() const { return first_; }
  const TargetsView* end() const { return first_ + size_; }

 private:
  const TargetsView* first_ = nullptr;
  std::size_t size_ = 0;
};

/// Targets that own the views, to be kept or returned.
struct OutputTargets {
  OutputTargets() = default;
  OutputTargets(const TargetsView& y) : outputs{y} {}
  OutputTargets(std::vector<TargetsView> y) : outputs(std::move(y)) {}
  operator Targets() const { return outputs; }

  std::int64_t rows() const { return outputs.empty() ? 0 : outputs.front().rows; }

  std::vector<TargetsView> outputs;
};

/// One class index a row, or for outputs of several positions one for each of these.
CHAINRULE_API TargetsView labels(std::span<const std::int64_t> classes, std::int64_t positions = 1);
/// One row of numbers a row.
CHAINRULE_API TargetsView targets(const RowsView& values);

}  // namespace chainrule
