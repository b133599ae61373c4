// SPDX-License-Identifier: Apache-2.0
// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with the mean and the variance of each
// column: those of the batch in training, and the running ones otherwise. Both are sums over the
// rows, so threads own columns. Since dx contains the gradients of gamma and beta, the backward
// pass works these out, and what is left of `gradients` is to store or apply them.
#include "chainrule/layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

/// The members mean_, inverse_, dgamma_ and dbeta_ are shared by the threads, each of which works
/// on whole columns of them: whole vectors, so that no two write to one cache line.
template <class T>
class BatchNormalizationStage final : public Stage<T>, public Infers<T> {
 public:
  BatchNormalizationStage(const StageContext<T>& c, const BatchNormalization& description)
      : kernels_(c.kernels),
        parameters_(c.parameters),
        epsilon_(static_cast<T>(description.epsilon)),
        momentum_(static_cast<T>(description.momentum)),
        gamma_(c.parameters.find(c.owner, "gamma")),
        beta_(c.parameters.find(c.owner, "beta")),
        running_mean_(c.parameters.find(c.owner, "running_mean")),
        running_variance_(c.parameters.find(c.owner, "running_variance")),
        columns_(c.inputs),
        frozen_(c.frozen),
        mean_(padded<T>(c.inputs)),
        inverse_(padded<T>(c.inputs)),
        dgamma_(padded<T>(c.inputs)),
        dbeta_(padded<T>(c.inputs)) {}

  std::string describe() const override { return "batch_normalization"; }
  Partition partition() const override { return Partition::columns; }
  std::int64_t outputs() const override { return columns_; }
  bool has_parameters() const override { return gamma_ || beta_; }

  // y = gamma (x - mean) inverse + beta, inverse = 1 / sqrt(variance + epsilon)
  // x, y: rows x columns; mean_, inverse_ and all parameters: columns. The sums of a column run in
  // the order of the rows and on one thread, so their bits do not depend on how many there are. In
  // training the running statistics move towards the batch's, the variance as an unbiased estimate.
  void forward(const Step<T>& step, ThreadContext& context) override {
    const auto kernel =
        uses_batch(step) ? kernels_.batch_norm_forward : kernels_.batch_norm_inference;
    kernel(arguments(step, context.slice()));
  }

  // The same by the running statistics.
  // x, y: rows x columns, scratch: mean and inverse deviation of each column, which the kernel
  // works out in each call, since `infer` is const and callers share the stage
  void infer(const InferArgs<T>& p) const noexcept override {
    T* scratch = static_cast<T*>(p.scratch);
    kernels::BatchNormArgs<T> f = parameters();
    f.rows = p.rows;
    f.column_end = padded<T>(columns_);
    f.x = p.x;
    f.y = p.y;
    f.stride = p.x_stride;
    f.mean = scratch;
    f.inverse = scratch + padded<T>(columns_);
    kernels_.batch_norm_inference(f);
  }
  std::int64_t infer_scratch_bytes(std::int64_t) const override {
    return 2 * padded<T>(columns_) * static_cast<std::int64_t>(sizeof(T));
  }

  // With xhat = (x - mean) inverse, and sums over the rows in their order:
  //   dgamma = sum of dy xhat, dbeta = sum of dy
  //   dx = gamma inverse (dy - dbeta / rows - xhat dgamma / rows)
  //   dx = gamma inverse dy, where the running statistics were used
  // dy, dx: rows x columns, dgamma_, dbeta_: columns. It runs for the sums even where there is no
  // dx.
  void backward(const Step<T>& step, ThreadContext& context) override {
    kernels::BatchNormArgs<T> f = arguments(step, context.slice());
    f.dy = this->dy.data;
    f.dx = this->dx.data;
    f.dgamma = gamma_ ? dgamma_.data() : nullptr;
    f.dbeta = beta_ ? dbeta_.data() : nullptr;
    kernels_.batch_norm_backward(f);
  }

  // dgamma_, dbeta_: columns. A thread hands over those of its own columns, which it has itself
  // worked out in `backward`.
  void gradients(const Step<T>& step, ThreadContext& context) override {
    const Range columns = columns_of(context.slice());
    if (columns.size() == 0) return;
    if (gamma_)
      store_or_apply_gradient(step, *gamma_, columns.begin, dgamma_.data() + columns.begin,
                              columns.size());
    if (beta_)
      store_or_apply_gradient(step, *beta_, columns.begin, dbeta_.data() + columns.begin,
                              columns.size());
  }

 private:
  /// A frozen one works as in a prediction, as Keras has it.
  bool uses_batch(const Step<T>& step) const { return step.training && !frozen_; }

  Range columns_of(ThreadSlice slice) const {
    return slice.range(padded<T>(columns_), kernels::kRowAlignment<T>);
  }

  kernels::BatchNormArgs<T> parameters() const {
    kernels::BatchNormArgs<T> f{};
    f.epsilon = epsilon_;
    f.momentum = momentum_;
    f.gamma = parameters_.at(gamma_);
    f.beta = parameters_.at(beta_);
    f.running_mean = parameters_.at(running_mean_);
    f.running_variance = parameters_.at(running_variance_);
    return f;
  }

  /// All rows of the columns that a thread owns, for both passes.
  kernels::BatchNormArgs<T> arguments(const Step<T>& step, ThreadSlice slice) {
    const Range columns = columns_of(slice);
    kernels::BatchNormArgs<T> f = parameters();
    f.rows = this->rows(step);
    f.column_begin = columns.begin;
    f.column_end = columns.end;
    f.fixed = !uses_batch(step);
    f.x = this->x.data;
    f.y = this->y.data;
    f.stride = this->x.stride;
    f.mean = mean_.data();
    f.inverse = inverse_.data();
    return f;
  }

  const kernels::KernelTable<T>& kernels_;
  Parameters<T>& parameters_;
  T epsilon_;
  T momentum_;
  const Parameter* gamma_;
  const Parameter* beta_;
  const Parameter* running_mean_;
  const Parameter* running_variance_;
  std::int64_t columns_;
  bool frozen_;
  Buffer<T> mean_;
  Buffer<T> inverse_;
  Buffer<T> dgamma_;
  Buffer<T> dbeta_;
};

}  // namespace

template <class T>
void add_batch_normalization(const Layer& layer, const StageContext<T>& context,
                             Stages<T>& stages) {
  stages.push_back(std::make_unique<BatchNormalizationStage<T>>(
      context, dynamic_cast<const BatchNormalization&>(layer)));
}

CHAINRULE_INSTANTIATE_FACTORY(add_batch_normalization)

}  // namespace chainrule::engine
