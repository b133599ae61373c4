// SPDX-License-Identifier: Apache-2.0
// y = (x0 | x1 | ...) side by side; dx(k) is the part of dy that x(k) became. A thread copies the
// rows that it owns of every tensor, so no barrier is needed.
#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

template <class T>
class ConcatenateStage final : public Stage<T>, public Joins<T>, public Infers<T> {
 public:
  explicit ConcatenateStage(const StageContext<T>& c) : kernels_(c.kernels) {
    for (const Shape& shape : c.shapes) {
      first_.push_back(columns_);
      each_.push_back(shape.columns());
      columns_ += shape.columns();
    }
  }

  std::string describe() const override { return "concatenate"; }
  std::int64_t outputs() const override { return columns_; }

  Cost cost(std::int64_t rows) const override {
    const std::int64_t passes = this->dy.data ? 4 : 2;
    return {0.0, static_cast<double>(rows * passes * columns_) * sizeof(T)};
  }

  // y(:, first_[k] + j) = xs[k](:, j)
  // xs: rows x each one's columns, y: rows x all columns
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    for (std::size_t k = 0; k < each_.size(); ++k) {
      const Tensor<T>& part = this->xs[k];
      kernels_.copy_columns(part.row(rows.begin), part.stride, this->y.row(rows.begin) + first_[k],
                            this->y.stride, rows.size(), each_[k]);
    }
  }

  // dxs[k](:, j) = dy(:, first_[k] + j)
  // dy: rows x all columns, dxs: rows x each one's columns. Those that nothing below needs have no
  // memory.
  void backward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    for (std::size_t k = 0; k < each_.size(); ++k) {
      const Tensor<T>& part = this->dxs[k];
      if (!part.data) continue;
      kernels_.copy_columns(this->dy.row(rows.begin) + first_[k], this->dy.stride,
                            part.row(rows.begin), part.stride, rows.size(), each_[k]);
    }
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    for (std::size_t k = 0; k < each_.size(); ++k)
      kernels_.copy_columns(p.xs[k], p.x_strides[k], p.y + first_[k], p.y_stride, p.rows, each_[k]);
  }
  bool infers_in_place() const override { return false; }

 private:
  const kernels::KernelTable<T>& kernels_;
  std::vector<std::int64_t> first_;  // where each input's columns begin
  std::vector<std::int64_t> each_;   // columns of each input
  std::int64_t columns_ = 0;
};

}  // namespace

template <class T>
void add_concatenate(const Layer&, const StageContext<T>& context, Stages<T>& stages) {
  stages.push_back(std::make_unique<ConcatenateStage<T>>(context));
}

CHAINRULE_INSTANTIATE_FACTORY(add_concatenate)

}  // namespace chainrule::engine
