// SPDX-License-Identifier: Apache-2.0
// y = x scale(j), with a learnt factor for each column j; dx = dy scale(j),
// dscale(j) = sum over rows of x dy, in the order of the rows.
#include "chainrule/layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

template <class T>
class ScaleStage final : public Stage<T>, public Infers<T> {
 public:
  explicit ScaleStage(const StageContext<T>& c)
      : kernels_(c.kernels),
        parameters_(c.parameters),
        scale_(*c.parameters.find(c.owner, "scale")),
        columns_(c.inputs),
        dscale_(padded<T>(c.inputs)) {}

  std::string describe() const override { return "scale"; }
  std::int64_t outputs() const override { return columns_; }
  bool has_parameters() const override { return true; }

  // y = x scale
  // x, y: rows x columns, scale_: columns
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    scale_rows(this->x.row(rows.begin), this->y.row(rows.begin), rows.size(), this->x.stride);
  }

  // The same. x, y: rows x columns
  void infer(const InferArgs<T>& p) const noexcept override {
    scale_rows(p.x, p.y, p.rows, p.x_stride);
  }

  // dx = dy scale
  // dy, dx: rows x columns
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, context.slice());
    scale_rows(this->dy.row(rows.begin), this->dx.row(rows.begin), rows.size(), this->x.stride);
  }

  // dscale = sum of x dy over the rows in their order
  // dscale_: columns; each thread owns columns of them, over all rows
  void gradients(const Step<T>& step, ThreadContext& context) override {
    const Range columns = context.slice().range(padded<T>(columns_), kernels::kRowAlignment<T>);
    if (columns.size() == 0) return;
    kernels_.scale_gradient(this->x.data, this->dy.data, this->x.stride, this->rows(step),
                            columns.begin, columns.end, dscale_.data());
    store_or_apply_gradient(step, scale_, columns.begin, dscale_.data() + columns.begin,
                            columns.size());
  }

 private:
  void scale_rows(const T* from, T* to, std::int64_t rows, std::int64_t stride) const {
    kernels_.affine(from, parameters_.at(&scale_), nullptr, to, rows, columns_, stride);
  }

  const kernels::KernelTable<T>& kernels_;
  Parameters<T>& parameters_;
  const Parameter& scale_;
  std::int64_t columns_;
  Buffer<T> dscale_;
};

}  // namespace

template <class T>
void add_scale(const Layer&, const StageContext<T>& context, Stages<T>& stages) {
  stages.push_back(std::make_unique<ScaleStage<T>>(context));
}

CHAINRULE_INSTANTIATE_FACTORY(add_scale)

}  // namespace chainrule::engine
