// SPDX-License-Identifier: Apache-2.0
// y = (1 - alpha(j)) x + alpha(j) f(x), with a learnt share alpha(j) for each column j;
// dx = (1 - alpha(j)) dy + alpha(j) f'(x) dy, dalpha(j) = sum over rows of (f(x) - x) dy.
#include "chainrule/layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/activation.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

template <class T>
class ParametricActivationStage final : public Stage<T>, public Infers<T> {
 public:
  ParametricActivationStage(const StageContext<T>& c, const Activation& activation)
      : kernels_(c.kernels),
        parameters_(c.parameters),
        alpha_(*c.parameters.find(c.owner, "alpha")),
        name_(activation.config().kind),
        function_(kernel_function<T>(activation)),
        columns_(c.inputs),
        values_(c.backward ? c.rows * row_stride<T>(c.inputs) : 0),
        dalpha_(padded<T>(c.inputs)) {}

  std::string describe() const override { return "parametric " + name_; }
  std::int64_t outputs() const override { return columns_; }
  bool has_parameters() const override { return true; }

  // y = (1 - alpha) x + alpha f(x)
  // x, values_ = f(x), y: rows x columns, alpha_: columns. Without a backward pass f(x) is put into
  // y, where it is mixed.
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    T* values = values_.empty() ? this->y.row(rows.begin) : values_row(rows.begin);
    apply(this->x.row(rows.begin), values, this->y.row(rows.begin), rows.size(), this->x.stride);
  }

  // The same with f(x) in y. x, y: rows x columns
  void infer(const InferArgs<T>& p) const noexcept override {
    apply(p.x, p.y, p.y, p.rows, p.x_stride);
  }
  bool infers_in_place() const override { return false; }

  // dx = (1 - alpha) dy + alpha f'(x) dy
  // dy, dx: rows x columns. f'(x) dy is put into dx, where it is mixed with dy as f(x) with x.
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, context.slice());
    const std::int64_t stride = this->x.stride;
    const T* from = this->dy.row(rows.begin);
    T* to = this->dx.row(rows.begin);
    kernels_.activation_backward({function_, rows.size(), columns_, stride},
                                 this->x.row(rows.begin), values_row(rows.begin), from, to);
    kernels_.mix(mixed(from, to, rows.size(), stride), to);
  }

  // dalpha = sum of (f(x) - x) dy over the rows in their order
  // dalpha_: columns; each thread owns columns of them, over all rows
  void gradients(const Step<T>& step, ThreadContext& context) override {
    const Range columns = context.slice().range(padded<T>(columns_), kernels::kRowAlignment<T>);
    if (columns.size() == 0) return;
    kernels_.mix_gradient(mixed(this->x.data, values_.data(), this->rows(step), this->x.stride),
                          this->dy.data, columns.begin, columns.end, dalpha_.data());
    store_or_apply_gradient(step, alpha_, columns.begin, dalpha_.data() + columns.begin,
                            columns.size());
  }

 private:
  void apply(const T* from, T* values, T* to, std::int64_t rows, std::int64_t stride) const {
    kernels_.activation_forward({function_, rows, columns_, stride}, from, values);
    kernels_.mix(mixed(from, values, rows, stride), to);
  }
  T* values_row(std::int64_t row) { return values_.data() + row * this->x.stride; }
  kernels::MixArgs<T> mixed(const T* from, const T* to, std::int64_t rows,
                            std::int64_t stride) const {
    return {rows, columns_, stride, parameters_.at(&alpha_), from, to};
  }

  const kernels::KernelTable<T>& kernels_;
  Parameters<T>& parameters_;
  const Parameter& alpha_;
  std::string name_;
  kernels::ActivationFunction<T> function_;
  std::int64_t columns_;
  Buffer<T> values_;  // f(x), which the backward pass reads
  Buffer<T> dalpha_;
};

}  // namespace

template <class T>
void add_parametric_activation(const Layer& layer, const StageContext<T>& context,
                               Stages<T>& stages) {
  const Activation& activation = dynamic_cast<const ParametricActivation&>(layer).activation;
  stages.push_back(std::make_unique<ParametricActivationStage<T>>(context, activation));
}

CHAINRULE_INSTANTIATE_FACTORY(add_parametric_activation)

}  // namespace chainrule::engine
