// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chainrule/data.hpp"
#include "engine/input/row_order.hpp"
#include "engine/input/sparse_input.hpp"
#include "engine/parameters.hpp"
#include "engine/threads/thread_context.hpp"

namespace chainrule::engine {

/// What a first stage implements that reads categories where the caller has them, because T has not
/// all integers. The stage's `x` then has no memory.
template <class T>
class ReadsRows {
 public:
  /// Reads a thread's rows of a batch, of which row i is row order[i] of `source`.
  virtual void read(const RowsView& source, RowOrder order, Range rows, ThreadSlice slice) = 0;

  /// Has `read` list the nonzeros of `y` from now on and not fill it; null where it cannot.
  virtual SparseInput<T>* list_entries() { return nullptr; }
  /// The matrix of which a batch gives gradients only for the rows that its categories name; null
  /// where the stage has none.
  virtual const Parameter* sparse_weight() const { return nullptr; }
  /// Whether d loss / d x may be something else than zero.
  virtual bool passes_gradient() const { return true; }

 protected:
  ~ReadsRows() = default;
};

}  // namespace chainrule::engine
