// SPDX-License-Identifier: Apache-2.0
// Between tensors, whose rows are padded, and the rows side by side that functions of the caller's
// work on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "engine/stages/stage.hpp"

namespace chainrule::engine {

// from: (rows x positions) rows at a stride, to: the same rows without padding
template <class T>
void pack_rows(const Tensor<T>& from, std::int64_t rows, T* to) {
  for (std::int64_t i = 0; i < rows * from.positions; ++i)
    std::copy_n(from.row(i), from.columns, to + i * from.columns);
}

// The reverse. The padding of `to` stays as it is.
template <class T>
void unpack_rows(const T* from, std::int64_t rows, const Tensor<T>& to) {
  for (std::int64_t i = 0; i < rows * to.positions; ++i)
    std::copy_n(from + i * to.columns, to.columns, to.row(i));
}

/// The first row that holds a number which is not finite; -1 if none does.
template <class T>
std::int64_t first_bad_row(const T* values, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const T* row = values + i * columns;
    if (!std::all_of(row, row + columns, [](T value) { return std::isfinite(value); })) return i;
  }
  return -1;
}

}  // namespace chainrule::engine
