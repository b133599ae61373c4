// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace chainrule::engine {

/// Which rows of the caller's data a batch takes, and in what order: its row i is row
/// order[first + i] of the data, or row first + i where `order` is null.
struct RowOrder {
  const std::int64_t* order = nullptr;
  std::int64_t first = 0;

  std::int64_t operator[](std::int64_t i) const { return order ? order[first + i] : first + i; }
  /// The same without the first `rows` rows of the batch.
  RowOrder after(std::int64_t rows) const { return {order, first + rows}; }
};

}  // namespace chainrule::engine
