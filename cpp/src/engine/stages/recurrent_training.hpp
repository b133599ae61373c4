// SPDX-License-Identifier: Apache-2.0
// What recurrent layers do in training, with the letters of recurrence.hpp.
//
//   backward    from the last step to the first: the cell makes dsums of dh, and
//                                 dh'(n, u) = m (dsums(n, g u) U^T) + more(n, u)
//               dx(n, t, f) = dsums W^T                 products over (rows x time)
//   gradients   dW = x^T dsums, dU = (m h')^T dsums, db = the sum of dsums, over (row, time) in
//               order
//
// m are the factors of recurrent dropout, 0 or 1 / (1 - rate), the same at all steps of a row: the
// state that enters the product with U is h' times them. Without dropout there are none. A gradient
// that is truncated does not pass from a position that is a multiple of `truncate_gradient` to the
// one before it, in whichever direction the steps go; within a row, so that what lies behind its
// length still changes no bit.
//
// Of the gradients threads own pieces, as those of a dense layer.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "engine/norm.hpp"
#include "engine/stages/dropout_factors.hpp"
#include "engine/stages/recurrence.hpp"
#include "engine/stages/weight_gradient.hpp"

namespace chainrule::engine {

/// The stage of a plan with a backward pass, which keeps what that needs. Reference: Gal &
/// Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", NIPS
/// 2016, with one mask for all gates.
template <class T>
class RecurrentTrainingStage final : public RecurrentStage<T>, public BoundsGradient {
  using Base = RecurrentStage<T>;

 public:
  RecurrentTrainingStage(const RecurrentLayer& options, const StageContext<T>& c,
                         const Cell<T>& cell)
      : Base(options, c, cell),
        random_(c.random),
        dropout_(options.recurrent_dropout),
        truncate_(options.truncate_gradient) {
    const std::int64_t all = checked_product(rows_, time_);
    const bool has_sums = cell_.sums != Sums::none;
    gates_ = Buffer<T>(checked_product(all, gates_stride_));
    sums_ = Buffer<T>(has_sums ? all * gates_stride_ : 0);
    states_ = Buffer<T>(all * stride_);
    cells_ = Buffer<T>(cell_.has_cell ? rows_ * (time_ + 1) * stride_ : 0);
    factors_ = Buffer<T>(dropout_ > 0.0 ? rows_ * stride_ : 0);
    dropped_ = Buffer<T>(dropout_ > 0.0 ? all * stride_ : 0);
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

  // x, y: as of the stage without backward pass. All that the steps make is kept.
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = step.rows_of(context.slice());
    if (rows.size() == 0) return;
    if (!factors_.empty()) draw_factors(step, rows);
    run(kept_tables(), rows, this->x.data, this->x.stride, output(this->y.data, this->y.stride),
        lengths_from(rows.begin), first_states(rows.begin));
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
    const TimeTable<T> of_y = output(this->dy.data, this->dy.stride);
    const auto given = [&](bool is_given, std::int64_t state) {
      return is_given ? final_state(of_y, rows, state) : kernels::StepRows<T>{};
    };
    begin_gradient(given(gives_state_, 0), dstate.at(rows.begin, 0), rows.size());
    if (dcell.data) begin_gradient(given(gives_cell_, 1), dcell.at(rows.begin, 0), rows.size());
    T* panels = panels_.data() + (padded<T>(rows.begin) + kLeastChunk * slice.index) * columns_;
    const bool to_first = first_state_ < inputs_end_ && this->dxs[first_state_].data;
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
          .dy =
              sequences_ ? of_y.template at<const T>(rows.begin, t) : kernels::StepRows<const T>{},
          .dstate = dstate.template at<const T>(rows.begin, 0),
          .dcell = dcell.at(rows.begin, 0),
          .dgates = dgates.at(rows.begin, t),
          .dsums = dsums.at(rows.begin, t),
          .more = more.at(rows.begin, 0)};
      cell_.step_backward(f);
      if (cell_.sums == Sums::before)
        kernels_.activation_backward(activation_of(f.rows, f.gates.stride), f.sums.data,
                                     f.gates.data, f.dgates.data, f.dgates.data);
      if (s == 0 && !to_first) break;
      const kernels::StepRows<T> from = recurrent_gradients().at(rows.begin, t);
      kernels_.pack_transposed(from.data, from.stride, rows.size(), columns_, panels);
      T* more_rows = more.at(rows.begin, 0).data;
      kernels_.input_gradient({recurrent_weight_.shape, parameters_.at(&recurrent_weight_), panels,
                               rows.size(), first_dstate, stride_, pieces_of(slice),
                               recurrent_blocking_.group, recurrent_blocking_.backward_inputs,
                               recurrent_blocking_.backward_columns,
                               factors_.empty() ? more_rows : nullptr});
      if (!factors_.empty()) {
        kernels_.multiply(first_dstate, factors_.data() + rows.begin * stride_, first_dstate, size);
        if (more_rows) kernels_.accumulate(more_rows, first_dstate, size);
      }
      if (s > 0) truncate(std::max(t, position(s - 1)), rows, lengths);
    }
    for (std::size_t i = first_state_; i < inputs_end_; ++i) {
      const Buffer<T>& gradient = i == first_state_ ? dstate_ : dcell_;
      if (const Tensor<T>& d = this->dxs[i]; d.data)
        std::copy_n(gradient.data() + rows.begin * stride_, size, d.row(rows.begin));
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
                        {recurrent_weight_, recurrent_blocking_, all, recurrent_inputs().data,
                         stride_, recurrent, gates_stride_, pieces_of(slice)});
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
    const double states = norm(recurrent_inputs().data, units_, stride_) + ones;
    const double bound = read * norm(dgates_.data(), columns_, gates_stride_) +
                         states * norm(recurrent_gradients().data, columns_, gates_stride_);
    // Rounding adds less to each of the sums.
    return bound * (1.0 + static_cast<double>(all) * std::numeric_limits<T>::epsilon());
  }

 private:
  using Base::activation_of, Base::bias_, Base::blocking_, Base::cell_, Base::columns_;
  using Base::final_state, Base::first_state_, Base::first_states, Base::gates_stride_;
  using Base::gives_cell_, Base::gives_state_, Base::has_lengths_;
  using Base::inputs_end_, Base::kernels_, Base::lengths_from, Base::output, Base::parameters_;
  using Base::position, Base::recurrent_bias_, Base::recurrent_blocking_;
  using Base::recurrent_weight_, Base::rows_, Base::run, Base::sequences_, Base::stride_;
  using Base::time_, Base::units_, Base::weight_, Base::with_data;

  /// Rows of a product for dx at least, so that few rows of a batch fill vectors too.
  static constexpr std::int64_t kLeastChunk = 256;

  RecurrentTables<T> kept_tables() {
    const TimeTable<T> gates{gates_.data(), time_ * gates_stride_, gates_stride_};
    const TimeTable<T> states{states_.data(), time_ * stride_, stride_};
    return {gates,
            with_data(gates, sums_.data()),
            states,
            {cells_.data(), (time_ + 1) * stride_, stride_},
            with_data(states, dropped_.data())};
  }

  // One row of factors for all steps; ones but in training.
  void draw_factors(const Step<T>& step, Range rows) {
    if (step.training) {
      dropout_factors(kernels_, step, random_, dropout_, rows, units_, factors_.data(), stride_);
    } else {
      std::fill_n(factors_.data() + rows.begin * stride_, rows.size() * stride_, T(1));
    }
  }
  // dropped(n, u) = h'(n, u) m(n, u)
  kernels::StepRows<const T> recurrent_input(const RecurrentTables<T>& tables, Range rows,
                                             std::int64_t t) const noexcept override {
    if (factors_.empty()) return Base::recurrent_input(tables, rows, t);
    for (std::int64_t i = rows.begin; i < rows.end; ++i)
      kernels_.multiply(tables.states.at(i, t).data, factors_.data() + i * stride_,
                        tables.dropped.at(i, t).data, stride_);
    return tables.dropped.template at<const T>(rows.begin, t);
  }
  /// What the products with recurrent_weight read, at all positions.
  TimeTable<T> recurrent_inputs() {
    return {(factors_.empty() ? states_ : dropped_).data(), time_ * stride_, stride_};
  }

  /// The gradient with respect to a state behind the last step: that of y, zero where it has none.
  void begin_gradient(kernels::StepRows<T> from, kernels::StepRows<T> to, std::int64_t rows) const {
    if (from.data)
      kernels_.copy_columns(from.data, from.stride, to.data, to.stride, rows, stride_);
    else
      std::fill_n(to.data, rows * stride_, T(0));
  }

  /// Cuts the gradient with respect to the states between a position and the one before it, of rows
  /// that have both. lengths: of the first row on
  void truncate(std::int64_t t, Range rows, const kernels::RowLengths<T>& lengths) {
    if (truncate_ == 0 || t % truncate_ != 0) return;
    for (std::int64_t i = 0; i < rows.size(); ++i) {
      if (lengths.data && static_cast<T>(t) >= lengths.data[i * lengths.stride]) continue;
      for (Buffer<T>* gradient : {&dstate_, &dcell_})
        if (!gradient->empty())
          std::fill_n(gradient->data() + (rows.begin + i) * stride_, stride_, T(0));
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
                         bias_gradient_.data(), false);
    store_or_apply_gradient(step, *bias, columns.begin, bias_gradient_.data() + columns.begin,
                            columns.size());
  }

  /// Those of the sums over the state.
  TimeTable<T> recurrent_gradients() {
    return {(dsums_.empty() ? dgates_ : dsums_).data(), time_ * gates_stride_, gates_stride_};
  }
  T* pieces_of(ThreadSlice slice) { return pieces_.data() + piece_stride_ * slice.index; }

  RandomPlace random_;
  double dropout_;
  std::int64_t truncate_;  // 0: never
  Buffer<T> gates_, sums_, states_, cells_;
  Buffer<T> factors_, dropped_;  // of dropout
  Buffer<T> dgates_, dsums_;
  Buffer<T> dstate_, dcell_, more_;  // of the step at hand
  Buffer<T> panels_;                 // of dsums, transposed, a part for each thread
  std::int64_t piece_stride_ = 0;
  Buffer<T> pieces_;
  Buffer<T> bias_gradient_;
};

}  // namespace chainrule::engine
