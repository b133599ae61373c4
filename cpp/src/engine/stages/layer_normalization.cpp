// SPDX-License-Identifier: Apache-2.0
// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with the mean and the variance of each
// row. Threads own rows. The gradients of gamma and beta are sums over the rows, so there threads
// own columns.
#include "chainrule/layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

template <class T>
class LayerNormalizationStage final : public Stage<T>, public Infers<T> {
 public:
  LayerNormalizationStage(const StageContext<T>& c, const LayerNormalization& description)
      : kernels_(c.kernels),
        parameters_(c.parameters),
        epsilon_(static_cast<T>(description.epsilon)),
        gamma_(c.parameters.find(c.owner, "gamma")),
        beta_(c.parameters.find(c.owner, "beta")),
        columns_(c.inputs),
        mean_(padded<T>(c.rows)),
        inverse_(padded<T>(c.rows)),
        dgamma_(padded<T>(c.inputs)),
        dbeta_(padded<T>(c.inputs)) {}

  std::string describe() const override { return "layer_normalization"; }
  std::int64_t outputs() const override { return columns_; }
  bool has_parameters() const override { return gamma_ || beta_; }

  // y = gamma (x - mean) inverse + beta, inverse = 1 / sqrt(variance + epsilon), mean and variance
  // over the columns of a row
  // x, y: rows x columns, mean_, inverse_: rows, gamma_, beta_: columns
  void forward(const Step<T>& step, ThreadContext& context) override {
    kernels_.layer_norm_forward(arguments(this->rows_of(step, context.slice())));
  }

  // The same. x, y: rows x columns, scratch: mean and inverse deviation of each row, which nothing
  // reads afterwards
  void infer(const InferArgs<T>& p) const noexcept override {
    T* scratch = static_cast<T*>(p.scratch);
    kernels::LayerNormArgs<T> f = parameters();
    f.rows = p.rows;
    f.stride = p.x_stride;
    f.x = p.x;
    f.y = p.y;
    f.mean = scratch;
    f.inverse = scratch + p.rows;
    kernels_.layer_norm_forward(f);
  }
  std::int64_t infer_scratch_bytes(std::int64_t rows) const override {
    return 2 * rows * static_cast<std::int64_t>(sizeof(T));
  }

  // With xhat = (x - mean) inverse and means over the columns of a row:
  //   dx = inverse (gamma dy - mean(gamma dy) - xhat mean(gamma dy xhat))
  // dy, dx: rows x columns
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    kernels_.layer_norm_backward(arguments(this->rows_of(step, context.slice())));
  }

  // dgamma = sum of dy xhat, dbeta = sum of dy, over the rows in their order
  // dgamma_, dbeta_: columns; each thread owns columns of them, over all rows, whose mean_ and
  // inverse_ other threads may have written
  void gradients(const Step<T>& step, ThreadContext& context) override {
    const Range columns = context.slice().range(padded<T>(columns_), kernels::kRowAlignment<T>);
    if (columns.size() == 0 || !has_parameters()) return;
    kernels_.affine_gradient({this->rows(step), columns.begin, columns.end, this->x.stride,
                              this->x.data, mean_.data(), inverse_.data(), this->dy.data,
                              gamma_ ? dgamma_.data() : nullptr, beta_ ? dbeta_.data() : nullptr});
    if (gamma_)
      store_or_apply_gradient(step, *gamma_, columns.begin, dgamma_.data() + columns.begin,
                              columns.size());
    if (beta_)
      store_or_apply_gradient(step, *beta_, columns.begin, dbeta_.data() + columns.begin,
                              columns.size());
  }

 private:
  kernels::LayerNormArgs<T> parameters() const {
    kernels::LayerNormArgs<T> f{};
    f.columns = columns_;
    f.epsilon = epsilon_;
    f.gamma = parameters_.at(gamma_);
    f.beta = parameters_.at(beta_);
    return f;
  }

  kernels::LayerNormArgs<T> arguments(Range rows) {
    kernels::LayerNormArgs<T> f = parameters();
    f.rows = rows.size();
    f.stride = this->x.stride;
    f.x = this->x.row(rows.begin);
    f.y = this->y.row(rows.begin);
    f.mean = mean_.data() + rows.begin;
    f.inverse = inverse_.data() + rows.begin;
    if (this->dy.data) f.dy = this->dy.row(rows.begin);
    if (this->dx.data) f.dx = this->dx.row(rows.begin);
    return f;
  }

  const kernels::KernelTable<T>& kernels_;
  Parameters<T>& parameters_;
  T epsilon_;
  const Parameter* gamma_;
  const Parameter* beta_;
  std::int64_t columns_;
  Buffer<T> mean_;
  Buffer<T> inverse_;
  Buffer<T> dgamma_;
  Buffer<T> dbeta_;
};

}  // namespace

template <class T>
void add_layer_normalization(const Layer& layer, const StageContext<T>& context,
                             Stages<T>& stages) {
  stages.push_back(std::make_unique<LayerNormalizationStage<T>>(
      context, dynamic_cast<const LayerNormalization&>(layer)));
}

CHAINRULE_INSTANTIATE_FACTORY(add_layer_normalization)

}  // namespace chainrule::engine
