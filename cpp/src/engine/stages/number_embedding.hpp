// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {

/// Sums of functions of each column, of a kind of which kernels/number_embedding.hpp has the
/// formulas. Derived classes say what the functions are.
template <class T, template <class> class Basis>
class NumberEmbeddingStage : public Stage<T>, public Infers<T> {
 public:
  std::string describe() const override {
    return name_ + " " + std::to_string(columns_) + " -> " + std::to_string(outputs());
  }
  std::int64_t outputs() const override { return columns_ * (own_ + units_); }
  bool has_parameters() const override { return true; }

  // x: rows x columns, y: rows x columns (own + units)
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    kernels_.forward(arguments(rows.size(), this->x.stride, this->y.stride), basis(),
                     this->x.row(rows.begin), this->y.row(rows.begin));
  }

  // x: rows x columns, y: rows x columns (own + units)
  void infer(const InferArgs<T>& p) const noexcept override {
    kernels_.forward(arguments(p.rows, p.x_stride, p.y_stride), basis(), p.x, p.y);
  }
  bool infers_in_place() const override { return false; }

  // dy: rows x columns (own + units), dx: rows x columns
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, context.slice());
    kernels_.backward(arguments(rows.size(), this->x.stride, this->y.stride), basis(),
                      this->x.row(rows.begin), this->dy.row(rows.begin), this->dx.row(rows.begin));
  }

  // sums over the rows; each thread owns columns of x, with all that is theirs
  void gradients(const Step<T>& step, ThreadContext& context) override {
    const Range columns = context.slice().range(columns_);
    if (columns.size() == 0) return;
    const auto of_basis = [this](std::size_t i) {
      return i < trained_basis_.size() ? trained_basis_[i].gradient.data() : nullptr;
    };
    kernels_.gradient(arguments(this->rows(step), this->x.stride, this->y.stride), basis(),
                      {of_basis(0), of_basis(1), weight_.gradient.data(), bias_.gradient.data()},
                      this->x.data, this->dy.data, columns.begin, columns.end);
    for (Array& array : trained_basis_) array.hand_over(step, columns);
    weight_.hand_over(step, columns);
    bias_.hand_over(step, columns);
  }

 protected:
  using Args = kernels::NumberEmbeddingArgs<T>;
  struct Kernels {
    void (*forward)(const Args&, const Basis<T>&, const T* x, T* y);
    void (*backward)(const Args&, const Basis<T>&, const T* x, const T* dy, T* dx);
    void (*gradient)(const Args&, const Basis<T>&, const kernels::NumberEmbeddingGradients<T>&,
                     const T* x, const T* dy, std::int64_t column_begin, std::int64_t column_end);
  };

  /// `own` is 1 where y has the columns themselves; `trained_basis` names the arrays of the basis
  /// that are trained.
  NumberEmbeddingStage(const StageContext<T>& c, std::string name, std::int64_t own,
                       std::initializer_list<const char*> trained_basis, const Kernels& kernels)
      : parameters_(c.parameters),
        columns_(c.inputs),
        weight_(c, "weight"),
        bias_(c, "bias"),
        name_(std::move(name)),
        kernels_(kernels),
        own_(own),
        units_(bias_.parameter.shape.columns),
        basis_shape_(weight_.parameter.shape) {
    basis_shape_.rows = columns_;
    for (const char* array : trained_basis) trained_basis_.emplace_back(c, array);
  }

  virtual Basis<T> basis() const = 0;

  /// The layout of each array of the basis: columns x functions.
  const kernels::PanelShape& basis_shape() const { return basis_shape_; }
  const T* trained_basis(std::size_t i) const {
    return parameters_.at(&trained_basis_[i].parameter);
  }

  Parameters<T>& parameters_;
  std::int64_t columns_;

 private:
  /// A parameter and its gradient, in panels of the same layout.
  struct Array {
    Array(const StageContext<T>& c, const char* name)
        : parameter(*c.parameters.find(c.owner, name)),
          rows(parameter.shape.rows / c.inputs),
          gradient(c.backward ? parameter.size : 0) {}

    void hand_over(const Step<T>& step, Range columns) {
      const kernels::PanelShape& s = parameter.shape;
      for (std::int64_t p = 0; p < s.panels(); ++p) {
        const std::int64_t first = s.offset(p) + columns.begin * rows * s.width(p);
        store_or_apply_gradient(step, parameter, first, gradient.data() + first,
                                columns.size() * rows * s.width(p));
      }
    }

    const Parameter& parameter;
    std::int64_t rows;  // of each column
    Buffer<T> gradient;
  };

  Args arguments(std::int64_t rows, std::int64_t x_stride, std::int64_t y_stride) const {
    return {rows,
            columns_,
            own_,
            units_,
            x_stride,
            y_stride,
            basis_shape_,
            weight_.parameter.shape,
            bias_.parameter.shape,
            parameters_.at(&weight_.parameter),
            parameters_.at(&bias_.parameter)};
  }

  Array weight_, bias_;
  std::vector<Array> trained_basis_;
  std::string name_;
  Kernels kernels_;
  std::int64_t own_, units_;
  kernels::PanelShape basis_shape_;
};

}  // namespace chainrule::engine
