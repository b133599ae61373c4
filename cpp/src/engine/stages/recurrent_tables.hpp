// SPDX-License-Identifier: Apache-2.0
// Where recurrent layers keep what a pass over time works on.
#pragma once

#include <cstdint>

#include "kernels/table.hpp"

namespace chainrule::engine {

/// Rows of numbers for each row of a batch at each time step.
template <class T>
struct TimeTable {
  T* data = nullptr;
  std::int64_t row = 0;   // numbers from one row of the batch to the next
  std::int64_t step = 0;  // and from one time step to the next; 0: they share a row

  template <class N = T>
  kernels::StepRows<N> at(std::int64_t first_row, std::int64_t t) const {
    return {data ? data + first_row * row + t * step : nullptr, row};
  }
};

/// What a pass over the time steps of some rows works on.
template <class T>
struct RecurrentTables {
  TimeTable<T> gates;   // g u, at all steps
  TimeTable<T> sums;    // of cells with sums besides
  TimeTable<T> states;  // before each position
  TimeTable<T> cells;   // before each step, and behind the last one
};

}  // namespace chainrule::engine
