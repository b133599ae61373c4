// SPDX-License-Identifier: Apache-2.0
// What kinds of recurrent layers differ in, and where a pass over time keeps what it works on.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/table.hpp"

namespace chainrule::engine {

/// What becomes of a step's sums: all become gates where they are; they are kept, and the gates are
/// the activation of them; or those over the state, with a bias, are kept beside the others.
enum class Sums { none, before, beside };

/// What kinds of recurrent layers differ in.
template <class T>
struct Cell {
  std::int64_t gates;
  Sums sums;
  bool has_cell;  // whether there is a second state, of the cell
  void (*step)(const kernels::RecurrentStepArgs<T>&);
  void (*step_backward)(const kernels::RecurrentBackwardArgs<T>&);
  kernels::ActivationFunction<T> activation = {kernels::ActivationKind::linear, {}};
};

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
  TimeTable<T> gates;         // g u, at all steps
  TimeTable<T> sums;          // of cells with sums besides
  TimeTable<T> states;        // before each position
  TimeTable<T> cells;         // before each step, and behind the last one
  TimeTable<T> dropped = {};  // of recurrent dropout: states times their factors
};

/// The states that the first step begins with, of h and of the cell, where they are given.
template <class T>
using FirstStates = std::array<kernels::StepRows<const T>, 2>;

/// Tables of which only what a step needs is kept: sums behind `gates`, which has `rows` rows, and
/// cells behind `states`.
template <class T>
RecurrentTables<T> tables_of_step(const Cell<T>& cell, const TimeTable<T>& gates,
                                  const TimeTable<T>& states, std::int64_t rows) {
  RecurrentTables<T> tables{gates, {}, states, {}};
  if (cell.sums == Sums::beside) tables.sums = {gates.data + rows * gates.row, gates.step, 0};
  if (cell.sums == Sums::before) tables.sums = gates;
  if (cell.has_cell) tables.cells = {states.data + rows * states.row, states.row, 0};
  return tables;
}

}  // namespace chainrule::engine
