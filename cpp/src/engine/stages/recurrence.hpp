// SPDX-License-Identifier: Apache-2.0
// What the stages of recurrent layers share: a loop over the time steps around the kernels of a
// cell. n: rows of the batch, t: time steps, f: features, u: units, g: gates.
//
//   forward     sums(n, t, g u) = b + x(n, t, f) W      one product over (rows x time)
//               for each step:    sums(n, g u) += h'(n, u) U, and the cell makes h of them
//   backward    from the last step to the first: the cell makes dsums of dh, and
//                                 dh'(n, u) = dsums(n, g u) U^T + more(n, u)
//               dx(n, t, f) = dsums W^T                 products over (rows x time) again
//   gradients   dW = x^T dsums, dU = h'^T dsums, db = the sum of dsums, over (row, time) in order
//
// Threads own rows of the batch with all of their time steps, so they do not wait for each other
// between steps; of the gradients they own pieces, as those of a dense layer. A sum of a gate is
// begun with its bias and adds the features in their order and then the units of the state. A GRU
// has a second sum over the state, which is begun with a bias of its own.
//
// A second input, of one column, says how many positions of each row there are. Behind them a row
// keeps its state, gives zeros and adds zeros to all gradients, so what lies there changes no bit.
//
// States lie shifted by a step, at a position the one before it, so that dU has rows at one
// stride; that of the first step is zero.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "chainrule/recurrent_layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/norm.hpp"
#include "engine/stages/recurrent_cell.hpp"
#include "engine/stages/stages.hpp"
#include "engine/stages/weight_gradient.hpp"

namespace chainrule::engine {

template <class T>
class RecurrentStage final : public Stage<T>,
                             public Joins<T>,
                             public BoundsGradient,
                             public Infers<T>,
                             public Streams<T> {
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
        backwards_(options.go_backwards),
        has_lengths_(c.shapes.size() > 1),
        rows_(sequences_ ? c.rows / time_ : c.rows),
        blocking_(blocking_of(c, inputs_)),
        recurrent_blocking_(blocking_of(c, units_)) {
    if (!c.backward) {
      scratch_ = Buffer<std::uint8_t>(infer_scratch_bytes(rows_ * time_));
      return;
    }
    const std::int64_t all = checked_product(rows_, time_);
    const bool has_sums = cell_.sums != Sums::none;
    gates_ = Buffer<T>(checked_product(all, gates_stride_));
    sums_ = Buffer<T>(has_sums ? all * gates_stride_ : 0);
    states_ = Buffer<T>(all * stride_);
    cells_ = Buffer<T>(cell_.has_cell ? rows_ * (time_ + 1) * stride_ : 0);
    dgates_ = Buffer<T>(all * gates_stride_);
    dsums_ = Buffer<T>(cell_.sums == Sums::beside ? all * gates_stride_ : 0);
    dstate_ = Buffer<T>(rows_ * stride_);
    dcell_ = Buffer<T>(cell_.has_cell ? rows_ * stride_ : 0);
    more_ = Buffer<T>(cell_.sums == Sums::beside || has_lengths_ ? rows_ * stride_ : 0);
    panels_ = Buffer<T>((padded<T>(rows_) + kLeastChunk * c.threads) * columns_);
    piece_stride_ = std::max(blocking_.scratch_rows(c.kernels.sparse_panels),
                             recurrent_blocking_.scratch_rows(c.kernels.sparse_panels)) *
                    c.kernels.panel;
    pieces_ = Buffer<T>(piece_stride_ * c.threads);
    bias_gradient_ = Buffer<T>(padded<T>(columns_));
  }

  std::string describe() const override {
    return name_ + " " + std::to_string(inputs_) + " -> " + std::to_string(units_);
  }
  std::int64_t outputs() const override { return units_; }
  bool has_parameters() const override { return true; }

  // rows: of y
  Cost cost(std::int64_t rows) const override {
    const bool gradient = this->dy.data;
    const auto all = static_cast<double>(sequences_ ? rows : rows * time_);
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

  // x: (n t) x f, y: n x u or (n t) x u
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = step.rows_of(context.slice());
    if (rows.size() == 0) return;
    const kernels::RowLengths<T> lengths = lengths_from(rows.begin);
    if (gates_.empty()) {
      std::uint8_t* scratch = scratch_.data() + infer_scratch_bytes(rows.begin * time_);
      run(tables_in(scratch, rows.size()), {0, rows.size()}, this->x.row(rows.begin * time_),
          this->x.stride, output(this->y.row(rows.begin * this->y.positions), this->y.stride),
          lengths);
    } else {
      run(kept_tables(), rows, this->x.data, this->x.stride, output(this->y.data, this->y.stride),
          lengths);
    }
  }

  // The same, with nothing kept. x: (n t) x f
  void infer(const InferArgs<T>& p) const noexcept override {
    const std::int64_t rows = p.rows / time_;
    run(tables_in(p.scratch, rows), {0, rows}, p.x, p.x_stride, output(p.y, p.y_stride),
        has_lengths_ ? kernels::RowLengths<T>{p.xs[1], p.x_strides[1], 0}
                     : kernels::RowLengths<T>{});
  }
  bool infers_in_place() const override { return false; }

  // One step, of a time axis of one: the states lie in `kept`. x: 1 x f
  std::int64_t stream_size() const override { return (cell_.has_cell ? 2 : 1) * stride_; }
  void stream(const InferArgs<T>& p, T* kept, std::int64_t) const noexcept override {
    run(tables_in(p.scratch, 1, kept), {0, 1}, p.x, p.x_stride, output(p.y, p.y_stride), {});
    std::copy_n(p.y, units_, kept);
  }

  std::int64_t infer_scratch_bytes(std::int64_t rows) const override {
    return checked_product(rows / time_, (sums_size() + stream_size()) * std::int64_t{sizeof(T)});
  }

  // dy: as y, dx: as x
  void backward(const Step<T>& step, ThreadContext& context) override {
    const ThreadSlice slice = context.slice();
    const Range rows = step.rows_of(slice);
    if (rows.size() == 0) return;
    const RecurrentTables<T> tables = kept_tables();
    const kernels::RowLengths<T> lengths = lengths_from(rows.begin);
    const TimeTable<T> dgates{dgates_.data(), time_ * gates_stride_, gates_stride_};
    const TimeTable<T> dsums = with_data(dgates, dsums_.data());
    const TimeTable<T> dstate{dstate_.data(), stride_, 0};
    const TimeTable<T> dcell = with_data(dstate, dcell_.data());
    const TimeTable<T> more = with_data(dstate, more_.data());
    T* first_dstate = dstate_.data() + rows.begin * stride_;
    const std::int64_t size = rows.size() * stride_;
    if (sequences_) {
      std::fill_n(first_dstate, size, T(0));
    } else {
      std::copy_n(this->dy.row(rows.begin), size, first_dstate);
    }
    if (dcell.data) std::fill_n(dcell_.data() + rows.begin * stride_, size, T(0));
    T* panels = panels_.data() + (padded<T>(rows.begin) + kLeastChunk * slice.index) * columns_;
    for (std::int64_t s = time_; s-- > 0;) {
      const std::int64_t t = position(s);
      const kernels::RecurrentBackwardArgs<T> f{
          .rows = rows.size(),
          .units = units_,
          .lengths = {lengths.data, lengths.stride, t},
          .gates = tables.gates.template at<const T>(rows.begin, t),
          .sums = tables.sums.template at<const T>(rows.begin, t),
          .state = tables.states.template at<const T>(rows.begin, t),
          .cell = tables.cells.template at<const T>(rows.begin, s),
          .next_cell = tables.cells.template at<const T>(rows.begin, s + 1),
          .dy = sequences_
                    ? output(this->dy.data, this->dy.stride).template at<const T>(rows.begin, t)
                    : kernels::StepRows<const T>{},
          .dstate = dstate.template at<const T>(rows.begin, 0),
          .dcell = dcell.at(rows.begin, 0),
          .dgates = dgates.at(rows.begin, t),
          .dsums = dsums.at(rows.begin, t),
          .more = more.at(rows.begin, 0)};
      cell_.step_backward(f);
      if (cell_.sums == Sums::before)
        kernels_.activation_backward(activation_of(f.rows, f.gates.stride), f.sums.data,
                                     f.gates.data, f.dgates.data, f.dgates.data);
      if (s == 0) break;
      const kernels::StepRows<T> from = recurrent_gradients().at(rows.begin, t);
      kernels_.pack_transposed(from.data, from.stride, rows.size(), columns_, panels);
      kernels_.input_gradient({recurrent_weight_.shape, parameters_.at(&recurrent_weight_), panels,
                               rows.size(), first_dstate, stride_, pieces_of(slice),
                               recurrent_blocking_.group, recurrent_blocking_.backward_inputs,
                               recurrent_blocking_.backward_columns, more.at(rows.begin, 0).data});
    }
    if (this->dx.data) input_gradients({rows.begin * time_, rows.end * time_}, panels, slice);
    if (has_lengths_ && this->dxs[1].data)  // which is counted in whole steps
      std::fill_n(this->dxs[1].row(rows.begin), rows.size() * this->dxs[1].stride, T(0));
  }

  // Sums over (row, time), in their order, from x, the states and dgates
  void gradients(const Step<T>& step, ThreadContext& context) override {
    const ThreadSlice slice = context.slice();
    const std::int64_t all = step.rows * time_;
    T* recurrent = recurrent_gradients().data;
    weight_gradients<T>(kernels_, step, slice,
                        {weight_, blocking_, all, this->x.data, this->x.stride, dgates_.data(),
                         gates_stride_, pieces_of(slice)});
    weight_gradients<T>(kernels_, step, slice,
                        {recurrent_weight_, recurrent_blocking_, all, states_.data(), stride_,
                         recurrent, gates_stride_, pieces_of(slice)});
    const Range columns = slice.range(padded<T>(columns_), kernels::kRowAlignment<T>);
    bias_gradients(step, bias_, dgates_.data(), all, columns);
    bias_gradients(step, recurrent_bias_, recurrent, all, columns);
  }

  // By Cauchy and Schwarz, as Plan::gradient_bound has it for other stages.
  double gradient_bound(std::int64_t rows) override {
    const std::int64_t all = rows * time_;
    const auto norm = [&](T* data, std::int64_t columns, std::int64_t stride) {
      return norm_of(kernels_, Tensor<T>{data, columns, stride, 1}, all);
    };
    const double ones = std::sqrt(static_cast<double>(all));  // that biases are multiplied by
    const double read = norm_of(kernels_, this->x, all) + ones;
    const double states = norm(states_.data(), units_, stride_) + ones;
    const double bound = read * norm(dgates_.data(), columns_, gates_stride_) +
                         states * norm(recurrent_gradients().data, columns_, gates_stride_);
    // Rounding adds less to each of the sums.
    return bound * (1.0 + static_cast<double>(all) * std::numeric_limits<T>::epsilon());
  }

 private:
  /// Rows of a product for dx at least, so that few rows of a batch fill vectors too.
  static constexpr std::int64_t kLeastChunk = 256;
  static constexpr kernels::ActivationFunction<T> kLinear{kernels::ActivationKind::linear, {}};

  Blocking blocking_of(const StageContext<T>& c, std::int64_t inputs) const {
    const std::int64_t panels = weight_.shape.panels();
    return Blocking::of<T>(inputs, columns_, rows_ * time_, c.kernels.panel,
                           std::max<std::int64_t>(1, panels / c.threads));
  }

  /// The lengths of the rows from one on; none where all rows are as long as the time axis.
  kernels::RowLengths<T> lengths_from(std::int64_t row) const {
    if (!has_lengths_) return {};
    return {this->xs[1].row(row), this->xs[1].stride, 0};
  }

  /// The position that step s reads.
  std::int64_t position(std::int64_t s) const { return backwards_ ? time_ - 1 - s : s; }

  static TimeTable<T> with_data(TimeTable<T> table, T* data) {
    table.data = data;
    return table;
  }
  TimeTable<T> output(T* first, std::int64_t stride) const {
    return {first, sequences_ ? time_ * stride : stride, sequences_ ? stride : 0};
  }

  RecurrentTables<T> kept_tables() {
    const TimeTable<T> gates{gates_.data(), time_ * gates_stride_, gates_stride_};
    return {gates,
            with_data(gates, sums_.data()),
            {states_.data(), time_ * stride_, stride_},
            {cells_.data(), (time_ + 1) * stride_, stride_}};
  }

  /// In memory of infer_scratch_bytes(). The states go on from those given, or begin with zeros.
  RecurrentTables<T> tables_in(void* scratch, std::int64_t rows, T* states = nullptr) const {
    auto* numbers = static_cast<T*>(scratch);
    if (!states) {
      states = numbers + rows * sums_size();
      std::fill_n(states, rows * stream_size(), T(0));
    }
    return tables_of_step(cell_, {numbers, time_ * gates_stride_, gates_stride_},
                          {states, stride_, 0}, rows);
  }
  /// Numbers of a row's gates at all steps and of the sums beside them at one.
  std::int64_t sums_size() const {
    return checked_product(time_ + (cell_.sums == Sums::beside ? 1 : 0), gates_stride_);
  }

  /// The time steps of some rows. from: (n t) x f, to: of y, lengths: of the first row on
  void run(const RecurrentTables<T>& tables, Range rows, const T* from, std::int64_t from_stride,
           const TimeTable<T>& to, kernels::RowLengths<T> lengths) const noexcept {
    const bool beside = cell_.sums == Sums::beside;
    const TimeTable<T>& of_x = cell_.sums == Sums::before ? tables.sums : tables.gates;
    const TimeTable<T>& of_state = cell_.sums == Sums::none ? tables.gates : tables.sums;
    const std::int64_t first = rows.begin * time_;
    add_product({from + first * from_stride, from_stride}, weight_, bias_, blocking_, false,
                {of_x.data + first * of_x.step, of_x.step}, rows.size() * time_);
    for (std::int64_t s = 0; s < time_; ++s) {
      const std::int64_t t = position(s);
      const auto state = tables.states.template at<const T>(rows.begin, t);
      add_product(state, recurrent_weight_, recurrent_bias_, recurrent_blocking_, !beside,
                  of_state.at(rows.begin, t), rows.size());
      const bool last = s + 1 == time_;
      const auto y_rows = to.at(rows.begin, t);
      lengths.position = t;
      const kernels::RecurrentStepArgs<T> f{
          .rows = rows.size(),
          .units = units_,
          .lengths = lengths,
          .gates = tables.gates.at(rows.begin, t),
          .sums = tables.sums.template at<const T>(rows.begin, t),
          .state = state,
          .next_state = !last        ? tables.states.at(rows.begin, position(s + 1))
                        : sequences_ ? kernels::StepRows<T>{}
                                     : y_rows,
          .y = sequences_ ? y_rows : kernels::StepRows<T>{},
          .cell = tables.cells.template at<const T>(rows.begin, s),
          .next_cell = tables.cells.at(rows.begin, s + 1)};
      if (cell_.sums == Sums::before)
        kernels_.activation_forward(activation_of(f.rows, f.gates.stride), f.sums.data,
                                    f.gates.data);
      cell_.step(f);
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
      const T* start = adds ? sums.data : bias;
      kernels_.forward_row({w.shape, weight, start, kLinear}, from.data, sums.data, nullptr);
    } else {
      kernels_.forward({w.shape, weight, bias, from.data, from.stride, sums.data, sums.stride, 0,
                        rows, 0, w.shape.panels(), blocking.forward_inputs, adds});
    }
  }

  // dx = dsums W^T, in parts whose panels fit what the steps used. rows: (row, time)
  void input_gradients(Range rows, T* panels, ThreadSlice slice) {
    for (std::int64_t first = rows.begin; first < rows.end; first += kLeastChunk) {
      const std::int64_t count = std::min(kLeastChunk, rows.end - first);
      kernels_.pack_transposed(dgates_.data() + first * gates_stride_, gates_stride_, count,
                               columns_, panels);
      kernels_.input_gradient({weight_.shape, parameters_.at(&weight_), panels, count,
                               this->dx.row(first), this->dx.stride, pieces_of(slice),
                               blocking_.group, blocking_.backward_inputs,
                               blocking_.backward_columns});
    }
  }

  void bias_gradients(const Step<T>& step, const Parameter* bias, const T* dsums, std::int64_t all,
                      Range columns) {
    if (!bias || columns.size() == 0) return;
    kernels_.column_sums(dsums, gates_stride_, all, columns.begin, columns.end,
                         bias_gradient_.data());
    store_or_apply_gradient(step, *bias, columns.begin, bias_gradient_.data() + columns.begin,
                            columns.size());
  }

  /// Those of the sums over the state.
  TimeTable<T> recurrent_gradients() {
    return {(dsums_.empty() ? dgates_ : dsums_).data(), time_ * gates_stride_, gates_stride_};
  }
  T* pieces_of(ThreadSlice slice) { return pieces_.data() + piece_stride_ * slice.index; }

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
  bool backwards_;
  bool has_lengths_;
  std::int64_t rows_;  // most of a batch
  Blocking blocking_;
  Blocking recurrent_blocking_;
  Buffer<std::uint8_t> scratch_;  // of a plan without backward pass
  Buffer<T> gates_, sums_, states_, cells_;
  Buffer<T> dgates_, dsums_;
  Buffer<T> dstate_, dcell_, more_;  // of the step at hand
  Buffer<T> panels_;                 // of dsums, transposed, a part for each thread
  std::int64_t piece_stride_ = 0;
  Buffer<T> pieces_;
  Buffer<T> bias_gradient_;
};

}  // namespace chainrule::engine
