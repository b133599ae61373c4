// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "engine/input/row_order.hpp"
#include "engine/plan.hpp"
#include "engine/stages/stage.hpp"

namespace chainrule::engine {

/// Copies one thread's rows of a tensor, each with all of its positions, into the caller's
/// row-major array of `columns` columns, row i to row order[i].
template <class T>
void copy_rows(const Tensor<T>& from, Range rows, RowOrder order, T* to, std::int64_t columns) {
  const T* row = from.row(rows.begin * from.positions);
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    T* part = to + order[i] * columns;
    for (std::int64_t p = 0; p < from.positions; ++p, row += from.stride, part += from.columns)
      std::copy_n(row, from.columns, part);
  }
}

/// The same for all results of a plan, whose columns lie side by side.
template <class T>
void copy_results(const Plan<T>& plan, Range rows, RowOrder order, T* to) {
  const std::int64_t columns = plan.result_columns();
  std::int64_t first = 0;
  for (std::size_t i = 0; i < plan.results(); ++i) {
    copy_rows(plan.result(i), rows, order, to + first, columns);
    first += plan.result(i).positions * plan.result(i).columns;
  }
}

}  // namespace chainrule::engine
