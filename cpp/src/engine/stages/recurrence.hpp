// SPDX-License-Identifier: Apache-2.0
// What the stages of recurrent layers share: a loop over the time steps around the kernels of a
// cell. n: rows of the batch, t: time steps, f: features, u: units, g: gates.
//
//   forward     sums(n, t, g u) = b + x(n, t, f) W      one product over (rows x time)
//               for each step:    sums(n, g u) += h'(n, u) U, and the cell makes h of them
//
// Threads own rows of the batch with all of their time steps, so they do not wait for each other
// between steps. A sum of a gate is begun with its bias and adds the features in their order and
// then the units of the state. A GRU has a second sum over the state, which is begun with a bias of
// its own. What training adds is in recurrent_training.hpp.
//
// The last inputs may be the states to begin with, of h and of an LSTM's c; otherwise these are
// zero. A second input, of one column, says how many positions of each row there are. Behind them a
// row keeps its state, gives zeros and adds zeros to all gradients, so what lies there changes no
// bit.
//
// States lie shifted by a step, at a position the one before it, so that dU has rows at one
// stride.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "chainrule/recurrent_layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/blocking.hpp"
#include "engine/stages/recurrent_cell.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {

/// The stage of a plan without backward pass.
template <class T>
class RecurrentStage : public Stage<T>, public Joins<T>, public Infers<T>, public Streams<T> {
 public:
  RecurrentStage(const RecurrentLayer& options, const StageContext<T>& c, const Cell<T>& cell)
      : kernels_(c.kernels),
        parameters_(c.parameters),
        cell_(cell),
        name_(options.kind()),
        weight_(*c.parameters.find(c.owner, "weight")),
        recurrent_weight_(*c.parameters.find(c.owner, "recurrent_weight")),
        bias_(c.parameters.find(c.owner, "bias")),
        recurrent_bias_(c.parameters.find(c.owner, "recurrent_bias")),
        time_(c.shapes[0].positions()),
        inputs_(c.inputs),
        units_(options.units),
        columns_(cell_.gates * units_),
        stride_(row_stride<T>(units_)),
        gates_stride_(row_stride<T>(columns_)),
        sequences_(options.return_sequences),
        gives_state_(options.return_state || !options.return_sequences),
        gives_cell_(options.return_state && cell_.has_cell),
        y_positions_(options.output_shape(c.shapes).positions()),
        backwards_(options.go_backwards),
        has_lengths_(options.reads_lengths(c.shapes)),
        first_state_(has_lengths_ ? 2 : 1),
        inputs_end_(c.shapes.size()),
        rows_(c.rows / y_positions_),
        blocking_(blocking_of(c, inputs_)),
        recurrent_blocking_(blocking_of(c, units_)),
        scratch_(c.backward ? 0 : RecurrentStage::infer_scratch_bytes(rows_ * time_)) {}

  std::string describe() const override {
    return name_ + " " + std::to_string(inputs_) + " -> " + std::to_string(units_);
  }
  std::int64_t outputs() const override { return units_; }
  bool has_parameters() const override { return true; }

  // rows: of y
  Cost cost(std::int64_t rows) const override {
    const bool gradient = this->dy.data;
    const std::int64_t steps = rows / y_positions_ * time_;
    const auto all = static_cast<double>(steps);
    const double forward = 1.0 + (gradient ? 1.0 : 0.0);
    const double of_x = forward + (this->dx.data ? 1.0 : 0.0);
    const double of_state = forward + (gradient ? 1.0 : 0.0);
    const auto columns = static_cast<double>(columns_);
    const double terms =
        of_x * static_cast<double>(inputs_) + of_state * static_cast<double>(units_);
    const double weights = (terms + (gradient ? static_cast<double>(inputs_ + units_) : 0.0));
    return {2.0 * all * terms * columns,
            (all * (terms + of_state * columns) + weights * columns) * sizeof(T)};
  }

  // x: (n t) x f, y: n x u, (n t) x u, or with a final state (n (t + 1 or 2)) x u
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = step.rows_of(context.slice());
    if (rows.size() == 0) return;
    std::uint8_t* scratch = scratch_.data() + infer_scratch_bytes(rows.begin * time_);
    run(tables_in(scratch, rows.size()), {0, rows.size()}, this->x.row(rows.begin * time_),
        this->x.stride, output(this->y.row(rows.begin * y_positions_), this->y.stride),
        lengths_from(rows.begin), first_states(rows.begin));
  }
  void backward(const Step<T>&, ThreadContext&) override {}

  // The same, with nothing kept. x: (n t) x f
  void infer(const InferArgs<T>& p) const noexcept override {
    const std::int64_t rows = p.rows / time_;
    FirstStates<T> first{};
    for (std::size_t i = first_state_; i < inputs_end_; ++i)
      first[i - first_state_] = {p.xs[i], p.x_strides[i]};
    run(tables_in(p.scratch, rows), {0, rows}, p.x, p.x_stride, output(p.y, p.y_stride),
        has_lengths_ ? kernels::RowLengths<T>{p.xs[1], p.x_strides[1], 0}
                     : kernels::RowLengths<T>{},
        first);
  }
  bool infers_in_place() const override { return false; }

  // One step, of a time axis of one: the states lie in `kept`. x: 1 x f
  std::int64_t stream_size() const override { return state_size(); }
  void stream(const InferArgs<T>& p, T* kept,
              const StreamPosition& position) const noexcept override {
    T* gates = static_cast<T*>(p.scratch);
    T* sums = cell_.sums == Sums::beside ? gates + gates_stride_ : gates;
    // Each step begins with the weights that the one before ended with, which are still in L1.
    const bool backwards = position.index % 2 != 0;
    add_row(weight_, parameters_.at(bias_), p.x, gates, backwards);
    add_row(recurrent_weight_, cell_.sums == Sums::beside ? parameters_.at(recurrent_bias_) : gates,
            kept, sums, backwards);
    if (cell_.sums == Sums::before) kernels_.activation_forward(activation_of(1, 0), gates, gates);
    T* cell = cell_.has_cell ? kept + stride_ : nullptr;
    cell_.step({.rows = 1,
                .units = units_,
                .lengths = {},
                .gates = {gates, 0},
                .sums = {sums, 0},
                .state = {kept, 0},
                .next_state = {kept, 0},
                .y = {p.y, 0},
                .cell = {cell, 0},
                .next_cell = {cell, 0}});
  }

  std::int64_t infer_scratch_bytes(std::int64_t rows) const override {
    return checked_product(rows / time_, (sums_size() + state_size()) * std::int64_t{sizeof(T)});
  }

 protected:
  static constexpr kernels::ActivationFunction<T> kLinear{kernels::ActivationKind::linear, {}};

  Blocking blocking_of(const StageContext<T>& c, std::int64_t inputs) const {
    return Blocking::of<T>(inputs, columns_, rows_ * time_, c.kernels.panel, c.threads);
  }

  /// The lengths of the rows from one on; none where all rows are as long as the time axis.
  kernels::RowLengths<T> lengths_from(std::int64_t row) const {
    if (!has_lengths_) return {};
    return {this->xs[1].row(row), this->xs[1].stride, 0};
  }

  /// The states to begin with, of the rows from one on.
  FirstStates<T> first_states(std::int64_t row) const {
    FirstStates<T> first{};
    for (std::size_t i = first_state_; i < inputs_end_; ++i)
      first[i - first_state_] = {this->xs[i].row(row), this->xs[i].stride};
    return first;
  }

  /// The position that step s reads.
  std::int64_t position(std::int64_t s) const { return backwards_ ? time_ - 1 - s : s; }

  static TimeTable<T> with_data(TimeTable<T> table, T* data) {
    table.data = data;
    return table;
  }
  TimeTable<T> output(T* first, std::int64_t stride) const {
    return {first, y_positions_ * stride, sequences_ ? stride : 0};
  }
  /// Where the final h, state 0, or c, state 1, of some rows lies in y or dy.
  kernels::StepRows<T> final_state(const TimeTable<T>& table, Range rows,
                                   std::int64_t state) const {
    const std::int64_t stride = table.row / y_positions_;
    const std::int64_t place = (sequences_ ? time_ : 0) + state;
    return {table.data + rows.begin * table.row + place * stride, table.row};
  }

  /// In memory of infer_scratch_bytes(). The states begin with zeros.
  RecurrentTables<T> tables_in(void* scratch, std::int64_t rows) const {
    auto* numbers = static_cast<T*>(scratch);
    T* states = numbers + rows * sums_size();
    std::fill_n(states, rows * state_size(), T(0));
    return tables_of_step(cell_, {numbers, time_ * gates_stride_, gates_stride_},
                          {states, stride_, 0}, rows);
  }
  /// Numbers of a row's state.
  std::int64_t state_size() const { return (cell_.has_cell ? 2 : 1) * stride_; }
  /// Numbers of a row's gates at all steps and of the sums beside them at one.
  std::int64_t sums_size() const {
    return checked_product(time_ + (cell_.sums == Sums::beside ? 1 : 0), gates_stride_);
  }

  /// What the product with recurrent_weight reads at position t: the state before it.
  virtual kernels::StepRows<const T> recurrent_input(const RecurrentTables<T>& tables, Range rows,
                                                     std::int64_t t) const noexcept {
    return tables.states.template at<const T>(rows.begin, t);
  }

  /// The time steps of some rows. from: (n t) x f, to: of y, lengths and given states: of the first
  /// row on
  void run(const RecurrentTables<T>& tables, Range rows, const T* from, std::int64_t from_stride,
           const TimeTable<T>& to, kernels::RowLengths<T> lengths,
           const FirstStates<T>& given) const noexcept {
    const kernels::StepRows<T> before[] = {tables.states.at(rows.begin, position(0)),
                                           tables.cells.at(rows.begin, 0)};
    for (std::size_t i = 0; i < inputs_end_ - first_state_; ++i)
      kernels_.copy_columns(given[i].data, given[i].stride, before[i].data, before[i].stride,
                            rows.size(), units_);
    const bool beside = cell_.sums == Sums::beside;
    const TimeTable<T>& of_x = cell_.sums == Sums::before ? tables.sums : tables.gates;
    const TimeTable<T>& of_state = cell_.sums == Sums::none ? tables.gates : tables.sums;
    const std::int64_t first = rows.begin * time_;
    add_product({from + first * from_stride, from_stride}, weight_, bias_, blocking_, false,
                {of_x.data + first * of_x.step, of_x.step}, rows.size() * time_);
    for (std::int64_t s = 0; s < time_; ++s) {
      const std::int64_t t = position(s);
      add_product(recurrent_input(tables, rows, t), recurrent_weight_, recurrent_bias_,
                  recurrent_blocking_, !beside, of_state.at(rows.begin, t), rows.size());
      const bool last = s + 1 == time_;
      const auto y_rows = to.at(rows.begin, t);
      lengths.position = t;
      const kernels::RecurrentStepArgs<T> f{
          .rows = rows.size(),
          .units = units_,
          .lengths = lengths,
          .gates = tables.gates.at(rows.begin, t),
          .sums = tables.sums.template at<const T>(rows.begin, t),
          .state = tables.states.template at<const T>(rows.begin, t),
          .next_state = !last          ? tables.states.at(rows.begin, position(s + 1))
                        : gives_state_ ? final_state(to, rows, 0)
                                       : kernels::StepRows<T>{},
          .y = sequences_ ? y_rows : kernels::StepRows<T>{},
          .cell = tables.cells.template at<const T>(rows.begin, s),
          .next_cell = tables.cells.at(rows.begin, s + 1)};
      if (cell_.sums == Sums::before)
        kernels_.activation_forward(activation_of(f.rows, f.gates.stride), f.sums.data,
                                    f.gates.data);
      cell_.step(f);
    }
    if (gives_cell_) {
      const auto cell = tables.cells.at(rows.begin, time_);
      const auto y_rows = final_state(to, rows, 1);
      kernels_.copy_columns(cell.data, cell.stride, y_rows.data, y_rows.stride, rows.size(),
                            stride_);
    }
  }

  kernels::ActivationArgs<T> activation_of(std::int64_t rows, std::int64_t stride) const {
    return {cell_.activation, rows, units_, stride};
  }

  /// sums = bias + from W, or sums += from W if it `adds`
  void add_product(const kernels::StepRows<const T>& from, const Parameter& w, const Parameter* b,
                   const Blocking& blocking, bool adds, const kernels::StepRows<T>& sums,
                   std::int64_t rows) const noexcept {
    const T* weight = parameters_.at(&w);
    const T* bias = parameters_.at(b);
    if (rows == 1) {
      add_row(w, adds ? sums.data : bias, from.data, sums.data, false);
    } else {
      kernels_.forward({w.shape, weight, bias, from.data, from.stride, sums.data, sums.stride, 0,
                        rows, 0, w.shape.panels(), blocking.forward_inputs, adds});
    }
  }

  /// sums = start + from W of one row
  void add_row(const Parameter& w, const T* start, const T* from, T* sums, bool backwards) const {
    kernels_.forward_row_terms({w.shape, parameters_.at(&w), start, kLinear},
                               {0, w.shape.rows, backwards}, from, sums);
  }

  const kernels::KernelTable<T>& kernels_;
  Parameters<T>& parameters_;
  Cell<T> cell_;
  std::string name_;
  const Parameter& weight_;
  const Parameter& recurrent_weight_;
  const Parameter* bias_;
  const Parameter* recurrent_bias_;
  std::int64_t time_;
  std::int64_t inputs_;
  std::int64_t units_;
  std::int64_t columns_;  // of all gates
  std::int64_t stride_;
  std::int64_t gates_stride_;
  bool sequences_;
  bool gives_state_, gives_cell_;  // behind the last step
  std::int64_t y_positions_;       // of a row of y: its sequence, and the states behind that
  bool backwards_;
  bool has_lengths_;
  std::size_t first_state_, inputs_end_;  // the inputs that are states to begin with
  std::int64_t rows_;                     // most of a batch
  Blocking blocking_;
  Blocking recurrent_blocking_;
  Buffer<std::uint8_t> scratch_;  // of a plan without backward pass
};

}  // namespace chainrule::engine
