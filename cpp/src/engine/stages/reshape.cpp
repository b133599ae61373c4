// SPDX-License-Identifier: Apache-2.0
// The same values in the same order, in rows of other lengths. Rows are padded, so they are copied.
#include "engine/stages/reshape.hpp"

#include "engine/inference/infers.hpp"
#include "engine/instantiate.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

template <class T>
class ReshapeStage final : public Stage<T>, public Infers<T> {
 public:
  ReshapeStage(const kernels::KernelTable<T>& kernels, std::int64_t x_columns, const Shape& to)
      : kernels_(kernels), x_columns_(x_columns), columns_(to.columns()), size_(to.size()) {}

  std::string describe() const override { return "reshape"; }
  std::int64_t outputs() const override { return columns_; }

  Cost cost(std::int64_t rows) const override {
    const std::int64_t passes = this->dx.data ? 4 : 2;
    return {0.0, static_cast<double>(rows * passes * columns_) * sizeof(T)};
  }

  // y = x read row after row as rows of y
  // x: (rows x positions of x) x columns of x, y: (rows x positions of y) x columns of y. Threads
  // own rows of the batch, whose numbers are as many on both sides.
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = step.rows_of(context.slice());
    copy(rows, this->x, this->y);
  }

  // dx = dy read row after row as rows of x. dy: as y, dx: as x
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = step.rows_of(context.slice());
    copy(rows, this->dy, this->dx);
  }

  // p.rows counts the positions of x, so the batch has p.rows x_columns / size rows.
  void infer(const InferArgs<T>& p) const noexcept override {
    kernels_.reshape({p.rows * x_columns_ / size_, size_, p.x, x_columns_, p.x_stride, p.y,
                      columns_, p.y_stride});
  }
  bool infers_in_place() const override { return false; }

 private:
  void copy(Range rows, const Tensor<T>& from, const Tensor<T>& to) const {
    kernels_.reshape({rows.size(), size_, from.row(rows.begin * from.positions), from.columns,
                      from.stride, to.row(rows.begin * to.positions), to.columns, to.stride});
  }

  const kernels::KernelTable<T>& kernels_;
  std::int64_t x_columns_;
  std::int64_t columns_;
  std::int64_t size_;  // values of a row of the batch
};

}  // namespace

template <class T>
std::unique_ptr<Stage<T>> make_reshape(const kernels::KernelTable<T>& kernels,
                                       std::int64_t x_columns, const Shape& to) {
  return std::make_unique<ReshapeStage<T>>(kernels, x_columns, to);
}

/// The stage of Reshape and Flatten; rows that keep their length need none.
template <class T>
void add_reshape(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const Shape to = layer.output_shape(context.shapes);
  if (to.columns() == context.inputs) return;
  stages.push_back(make_reshape<T>(context.kernels, context.inputs, to));
}

#define CHAINRULE_MEMBERS(T)                                                                    \
  template std::unique_ptr<Stage<T>> make_reshape(const kernels::KernelTable<T>&, std::int64_t, \
                                                  const Shape&);
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS
CHAINRULE_INSTANTIATE_FACTORY(add_reshape)

}  // namespace chainrule::engine
