// SPDX-License-Identifier: Apache-2.0
// What kernels of several tensors read and write.
#pragma once

#include <stdint.h>

#include "kernels/kinds.hpp"

namespace chainrule::kernels {

/// `count` buffers of one shape, `size` numbers with their padding, as one.
template <class T>
struct MergeArgs {
  MergeKind kind;
  int64_t count;
  const T* const* xs;
  int64_t size;
};

/// Products of positions: for each of `rows` rows of a batch y(p, q) = sum over j of a(p, j) b(q,
/// j). a: a_positions x columns, b: b_positions x columns, both at `stride`; y: a_positions x
/// b_positions at y_stride.
template <class T>
struct DotArgs {
  int64_t rows, a_positions, b_positions, columns, stride, y_stride;
  const T* a;
  const T* b;
};

}  // namespace chainrule::kernels
