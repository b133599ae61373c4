// SPDX-License-Identifier: Apache-2.0
// Dot products of rows of two tensors, for each row r of the batch:
//
//   y(r, i, j) = sum over k of a(r, i, k) b(r, j, k)
//   da(r, i, k) = sum over j of dy(r, i, j) b(r, j, k), and db likewise
//
// Each sum runs in the order of its index.
#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

template <class T>
class DotStage final : public Stage<T>, public Joins<T>, public Infers<T> {
 public:
  explicit DotStage(const StageContext<T>& c)
      : kernels_(c.kernels),
        a_positions_(c.shapes[0].positions()),
        b_positions_(c.shapes[1].positions()),
        columns_(c.inputs) {}

  std::string describe() const override { return "dot"; }
  std::int64_t outputs() const override { return b_positions_; }

  Cost cost(std::int64_t rows) const override {
    const std::int64_t products = rows * b_positions_ * columns_;
    const std::int64_t values =
        rows / a_positions_ *
        ((a_positions_ + b_positions_) * columns_ + a_positions_ * b_positions_);
    const std::int64_t passes = this->dy.data ? 3 : 1;
    return {static_cast<double>(2 * passes * products),
            static_cast<double>(passes * values) * sizeof(T)};
  }

  // y(r, i, j) = a(r, i, :) . b(r, j, :)
  // a, b: (rows positions) x columns, y: (rows positions of a) x positions of b. Threads own rows
  // of the batch with all pairs of positions.
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = step.rows_of(context.slice());
    kernels_.dot_forward(arguments(rows), this->y.row(rows.begin * a_positions_));
  }

  // da(r, i, :) = sum over j of dy(r, i, j) b(r, j, :), db(r, j, :) = sum over i of dy(r, i, j)
  // a(r, i, :)
  // dy: as y, da, db: as a, b, each null where nothing below needs it
  void backward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = step.rows_of(context.slice());
    const Tensor<T>& da = this->dxs[0];
    const Tensor<T>& db = this->dxs[1];
    kernels_.dot_backward(arguments(rows), this->dy.row(rows.begin * a_positions_),
                          da.data ? da.row(rows.begin * a_positions_) : nullptr,
                          db.data ? db.row(rows.begin * b_positions_) : nullptr);
  }

  // The same; p.rows counts the positions of a.
  void infer(const InferArgs<T>& p) const noexcept override {
    kernels_.dot_forward({p.rows / a_positions_, a_positions_, b_positions_, columns_, p.x_stride,
                          p.y_stride, p.xs[0], p.xs[1]},
                         p.y);
  }
  bool infers_in_place() const override { return false; }

 private:
  kernels::DotArgs<T> arguments(Range rows) const {
    return {rows.size(),
            a_positions_,
            b_positions_,
            columns_,
            this->x.stride,
            this->y.stride,
            this->xs[0].row(rows.begin * a_positions_),
            this->xs[1].row(rows.begin * b_positions_)};
  }

  const kernels::KernelTable<T>& kernels_;
  std::int64_t a_positions_;
  std::int64_t b_positions_;
  std::int64_t columns_;
};

}  // namespace

template <class T>
void add_dot(const Layer&, const StageContext<T>& context, Stages<T>& stages) {
  stages.push_back(std::make_unique<DotStage<T>>(context));
}

CHAINRULE_INSTANTIATE_FACTORY(add_dot)

}  // namespace chainrule::engine
