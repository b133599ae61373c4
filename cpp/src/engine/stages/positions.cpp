// SPDX-License-Identifier: Apache-2.0
// One position for several, or several for one: GlobalAveragePooling and RepeatVector, of which
// each does forward what the other does backward.
#include "chainrule/shape_layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

/// GlobalAveragePooling: the mean over the positions of a row.
template <class T>
class PoolingStage final : public Stage<T>, public Infers<T>, public WorksInBlocks<T> {
 public:
  explicit PoolingStage(const StageContext<T>& c)
      : kernels_(c.kernels), positions_(c.shapes[0].positions()), columns_(c.inputs) {}

  std::string describe() const override { return "global_average_pooling"; }
  std::int64_t outputs() const override { return columns_; }
  bool reads_x_again() const override { return false; }
  bool reads_y_again() const override { return false; }

  Cost cost(std::int64_t rows) const override {
    const std::int64_t passes = this->dx.data ? 2 : 1;
    return {0.0, static_cast<double>(passes * rows * (positions_ + 1) * columns_) * sizeof(T)};
  }

  // y(r, :) = (sum over p, in order, of x(r, p, :)) / positions
  // x: (rows positions) x columns, y: rows x columns
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = step.rows_of(context.slice());
    kernels_.sum_positions(arguments(rows.size(), this->x.stride),
                           this->x.row(rows.begin * positions_), this->y.row(rows.begin));
  }

  // dx(r, p, :) = dy(r, :) / positions
  // dy: rows x columns, dx: (rows positions) x columns
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = step.rows_of(context.slice());
    kernels_.repeat_positions(arguments(rows.size(), this->x.stride), this->dy.row(rows.begin),
                              this->dx.row(rows.begin * positions_));
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    kernels_.sum_positions(arguments(p.rows / positions_, p.x_stride), p.x, p.y);
  }
  bool infers_in_place() const override { return false; }

 private:
  kernels::PositionsArgs<T> arguments(std::int64_t rows, std::int64_t stride) const {
    return {rows, positions_, stride, static_cast<T>(positions_)};
  }

  const kernels::KernelTable<T>& kernels_;
  std::int64_t positions_;
  std::int64_t columns_;
};

/// RepeatVector: a row at each of n positions.
template <class T>
class RepeatStage final : public Stage<T>, public Infers<T>, public WorksInBlocks<T> {
 public:
  RepeatStage(const StageContext<T>& c, std::int64_t n)
      : kernels_(c.kernels), positions_(n), columns_(c.inputs) {}

  std::string describe() const override { return "repeat_vector"; }
  std::int64_t outputs() const override { return columns_; }
  bool reads_x_again() const override { return false; }
  bool reads_y_again() const override { return false; }

  Cost cost(std::int64_t rows) const override {
    const std::int64_t passes = this->dx.data ? 2 : 1;
    const std::int64_t all = rows + rows / positions_;
    return {0.0, static_cast<double>(passes * all * columns_) * sizeof(T)};
  }

  // y(r, p, :) = x(r, :), divided by 1 in the kernel, which changes no bit
  // x: rows x columns, y: (rows positions) x columns
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = step.rows_of(context.slice());
    kernels_.repeat_positions(arguments(rows.size(), this->x.stride), this->x.row(rows.begin),
                              this->y.row(rows.begin * positions_));
  }

  // dx(r, :) = sum over p, in order, of dy(r, p, :)
  // dy: (rows positions) x columns, dx: rows x columns
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = step.rows_of(context.slice());
    kernels_.sum_positions(arguments(rows.size(), this->x.stride),
                           this->dy.row(rows.begin * positions_), this->dx.row(rows.begin));
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    kernels_.repeat_positions(arguments(p.rows, p.x_stride), p.x, p.y);
  }
  bool infers_in_place() const override { return false; }

 private:
  kernels::PositionsArgs<T> arguments(std::int64_t rows, std::int64_t stride) const {
    return {rows, positions_, stride, T(1)};
  }

  const kernels::KernelTable<T>& kernels_;
  std::int64_t positions_;
  std::int64_t columns_;
};

}  // namespace

template <class T>
void add_global_average_pooling(const Layer&, const StageContext<T>& context, Stages<T>& stages) {
  stages.push_back(std::make_unique<PoolingStage<T>>(context));
}

template <class T>
void add_repeat_vector(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const std::int64_t n = dynamic_cast<const RepeatVector&>(layer).n;
  stages.push_back(std::make_unique<RepeatStage<T>>(context, n));
}

CHAINRULE_INSTANTIATE_FACTORY(add_global_average_pooling)
CHAINRULE_INSTANTIATE_FACTORY(add_repeat_vector)

}  // namespace chainrule::engine
