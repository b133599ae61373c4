// SPDX-License-Identifier: Apache-2.0
// Each column and, behind it, sums of its cosines; the formulas are in kernels/periodic.hpp.
#include <array>

#include "chainrule/layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

/// All four parameters have rows for each column of x, so a thread that owns columns of x owns a
/// run of rows in each panel of them.
template <class T>
class PeriodicEmbeddingStage final : public Stage<T>, public Infers<T> {
 public:
  explicit PeriodicEmbeddingStage(const StageContext<T>& c)
      : kernels_(c.kernels),
        parameters_(c.parameters),
        columns_(c.inputs),
        frequency_(c, "frequency"),
        phase_(c, "phase"),
        weight_(c, "weight"),
        bias_(c, "bias"),
        units_(bias_.parameter.shape.columns) {}

  std::string describe() const override {
    return "periodic " + std::to_string(columns_) + " -> " + std::to_string(outputs());
  }
  std::int64_t outputs() const override { return columns_ * (units_ + 1); }
  bool has_parameters() const override { return true; }

  // x: rows x columns, y: rows x columns (1 + units)
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    kernels_.periodic_forward(arguments(rows.size(), this->x.stride, this->y.stride),
                              this->x.row(rows.begin), this->y.row(rows.begin));
  }

  // The same. x: rows x columns, y: rows x columns (1 + units)
  void infer(const InferArgs<T>& p) const noexcept override {
    kernels_.periodic_forward(arguments(p.rows, p.x_stride, p.y_stride), p.x, p.y);
  }

  // dx = the gradients of x itself and of its waves, a row for itself
  // dy: rows x columns (1 + units), dx: rows x columns
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, context.slice());
    kernels_.periodic_backward(arguments(rows.size(), this->x.stride, this->y.stride),
                               this->x.row(rows.begin), this->dy.row(rows.begin),
                               this->dx.row(rows.begin));
  }

  // dw, db, dv, dbeta: sums over the rows in their order; each thread owns columns of x, with all
  // parameters that are theirs
  void gradients(const Step<T>& step, ThreadContext& context) override {
    const Range columns = context.slice().range(columns_);
    if (columns.size() == 0) return;
    kernels_.periodic_gradient(arguments(this->rows(step), this->x.stride, this->y.stride),
                               {frequency_.gradient.data(), phase_.gradient.data(),
                                weight_.gradient.data(), bias_.gradient.data()},
                               this->x.data, this->dy.data, columns.begin, columns.end);
    for (Array* array : {&frequency_, &phase_, &weight_, &bias_}) array->hand_over(step, columns);
  }

 private:
  /// A parameter and its gradient, in panels of the same layout.
  struct Array {
    Array(const StageContext<T>& c, const char* name)
        : parameter(*c.parameters.find(c.owner, name)),
          rows(parameter.shape.rows / c.inputs),
          gradient(c.backward ? parameter.size : 0) {}

    /// Stores or applies the gradients of some columns of x: in each panel a run of rows.
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

  kernels::PeriodicArgs<T> arguments(std::int64_t rows, std::int64_t x_stride,
                                     std::int64_t y_stride) const {
    return {rows,
            columns_,
            units_,
            x_stride,
            y_stride,
            frequency_.parameter.shape,
            weight_.parameter.shape,
            bias_.parameter.shape,
            parameters_.at(&frequency_.parameter),
            parameters_.at(&phase_.parameter),
            parameters_.at(&weight_.parameter),
            parameters_.at(&bias_.parameter)};
  }

  const kernels::KernelTable<T>& kernels_;
  Parameters<T>& parameters_;
  std::int64_t columns_;
  Array frequency_, phase_, weight_, bias_;
  std::int64_t units_;
};

}  // namespace

template <class T>
void add_periodic_embedding(const Layer&, const StageContext<T>& context, Stages<T>& stages) {
  stages.push_back(std::make_unique<PeriodicEmbeddingStage<T>>(context));
}

CHAINRULE_INSTANTIATE_FACTORY(add_periodic_embedding)

}  // namespace chainrule::engine
