// SPDX-License-Identifier: Apache-2.0
// y = x where x > 0, else slope(j) x, with a learnt slope for each column j;
// dslope(j) = sum over rows where x is not positive of x dy.
#include "chainrule/layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

template <class T>
class PReLUStage final : public Stage<T>, public Infers<T> {
 public:
  explicit PReLUStage(const StageContext<T>& c)
      : kernels_(c.kernels),
        parameters_(c.parameters),
        slope_(*c.parameters.find(c.owner, "slope")),
        columns_(c.inputs),
        dslope_(padded<T>(c.inputs)) {}

  std::string describe() const override { return "prelu"; }
  std::int64_t outputs() const override { return columns_; }
  bool has_parameters() const override { return true; }

  // y = x where x > 0, else slope x
  // x, y: rows x columns, slope_: columns
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    kernels::PreluArgs<T> f = arguments(rows.size(), this->x.stride);
    f.x = this->x.row(rows.begin);
    f.y = this->y.row(rows.begin);
    kernels_.prelu_forward(f);
  }

  // The same. x, y: rows x columns
  void infer(const InferArgs<T>& p) const noexcept override {
    kernels::PreluArgs<T> f = arguments(p.rows, p.x_stride);
    f.x = p.x;
    f.y = p.y;
    kernels_.prelu_forward(f);
  }

  // dx = dy where x > 0, else slope dy
  // x, dy, dx: rows x columns
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, context.slice());
    kernels::PreluArgs<T> f = arguments(rows.size(), this->x.stride);
    f.x = this->x.row(rows.begin);
    f.dy = this->dy.row(rows.begin);
    f.dx = this->dx.row(rows.begin);
    kernels_.prelu_backward(f);
  }

  // dslope = sum of x dy over the rows where x <= 0, in their order
  // dslope_: columns; each thread owns columns of them, over all rows
  void gradients(const Step<T>& step, ThreadContext& context) override {
    const Range columns = context.slice().range(padded<T>(columns_), kernels::kRowAlignment<T>);
    if (columns.size() == 0) return;
    kernels::PreluArgs<T> f = arguments(this->rows(step), this->x.stride);
    f.x = this->x.data;
    f.dy = this->dy.data;
    f.dslope = dslope_.data();
    kernels_.prelu_gradient(f, columns.begin, columns.end);
    store_or_apply_gradient(step, slope_, columns.begin, dslope_.data() + columns.begin,
                            columns.size());
  }

 private:
  kernels::PreluArgs<T> arguments(std::int64_t rows, std::int64_t stride) const {
    kernels::PreluArgs<T> f{};
    f.rows = rows;
    f.columns = columns_;
    f.stride = stride;
    f.slope = parameters_.at(&slope_);
    return f;
  }

  const kernels::KernelTable<T>& kernels_;
  Parameters<T>& parameters_;
  const Parameter& slope_;
  std::int64_t columns_;
  Buffer<T> dslope_;
};

}  // namespace

template <class T>
void add_prelu(const Layer&, const StageContext<T>& context, Stages<T>& stages) {
  stages.push_back(std::make_unique<PReLUStage<T>>(context));
}

CHAINRULE_INSTANTIATE_FACTORY(add_prelu)

}  // namespace chainrule::engine
