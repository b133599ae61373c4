// SPDX-License-Identifier: Apache-2.0
// What a time step of a recurrent layer reads and writes.
#pragma once

#include <stdint.h>

namespace chainrule::kernels {

/// A row of numbers for each row of a batch, at one time step.
template <class N>
struct StepRows {
  N* data;         // null: not wanted
  int64_t stride;  // from one row of the batch to the next
};

/// Which rows of a batch go on at a position of the time axis: all, or those that are longer than
/// it. The others keep their state.
template <class T>
struct RowLengths {
  const T* data;  // null: all go on
  int64_t stride;
  int64_t position;
};

/// From the sums of a step to the state behind it; see recurrence.hpp. Rows of gates x units
/// numbers, gate by gate, and of `units` numbers, padded.
template <class T>
struct RecurrentStepArgs {
  int64_t rows, units;
  RowLengths<T> lengths;
  StepRows<T> gates;        // the sums, in whose place the gates' values are written
  StepRows<const T> sums;   // of GRU alone: those over the state
  StepRows<const T> state;  // before the step
  StepRows<T> next_state;   // behind it; may be `state`
  StepRows<T> y;            // the same, but zero where a row does not go on
  StepRows<const T> cell;   // of LSTM alone, as the next
  StepRows<T> next_cell;
};

/// From the gradient with respect to the state behind a step to those of the sums.
template <class T>
struct RecurrentBackwardArgs {
  int64_t rows, units;
  RowLengths<T> lengths;
  StepRows<const T> gates;  // values
  StepRows<const T> sums;   // of GRU alone, as above
  StepRows<const T> state;  // before the step
  StepRows<const T> cell;   // of LSTM alone, as the next
  StepRows<const T> next_cell;
  StepRows<const T> dy;      // of y; its padding is zero
  StepRows<const T> dstate;  // of the state behind the step, but for dy
  StepRows<T> dcell;         // of LSTM alone: behind the step, and written, before it
  StepRows<T> dgates;        // of the gates' sums
  StepRows<T> dsums;         // of GRU alone: of those over the state
  StepRows<T> more;          // of the state before the step, but for what the sums give
};

}  // namespace chainrule::kernels
