// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/input/gather.hpp"

namespace chainrule::engine {

/// The columns of x that a layer which reads categories gives as they are.
class PassingColumns {
 public:
  /// To be called in the order of both.
  void add(std::int64_t column, std::int64_t output) {
    if (!runs_.empty() && runs_.back().column + runs_.back().size == column &&
        runs_.back().output + runs_.back().size == output) {
      ++runs_.back().size;
    } else {
      runs_.push_back({column, 1, output});
    }
  }
  bool empty() const { return runs_.empty(); }

  /// The first `rows` rows of `order`, converted to T.
  // source: any rows x inputs, y: rows x outputs
  template <class T>
  void gather(const kernels::KernelTable<T>& kernels, const RowsView& source, RowOrder order,
              std::int64_t rows, T* y, std::int64_t stride) const {
    for (const Run& run : runs_) {
      RowsView part = source;
      part.data = static_cast<const char*>(source.data) + run.column * source.column_stride;
      part.columns = run.size;
      gather_rows<T>(kernels, part, order, rows, nullptr, nullptr, y + run.output, stride);
    }
  }
  // x: inputs, y: outputs
  template <class T>
  void copy(const T* x, T* y) const {
    for (const Run& run : runs_) std::copy_n(x + run.column, run.size, y + run.output);
  }
  // dy: outputs, dx: inputs, of which columns of categories become 0
  template <class T>
  void copy_back(const T* dy, T* dx, std::int64_t inputs) const {
    std::fill_n(dx, inputs, T(0));
    for (const Run& run : runs_) std::copy_n(dy + run.output, run.size, dx + run.column);
  }

 private:
  /// Neighbouring columns, and where they begin in the outputs.
  struct Run {
    std::int64_t column;
    std::int64_t size;
    std::int64_t output;
  };

  std::vector<Run> runs_;
};

}  // namespace chainrule::engine
