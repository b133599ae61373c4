// SPDX-License-Identifier: Apache-2.0
// Convolutions and transposed convolutions, both made of the same three passes
// (engine/stages/convolution_passes.hpp). Sizes, channels and filters are the convolution's: a
// transposed one reads `filters` columns and gives `channels`.
#include <algorithm>

#include "engine/inference/infers.hpp"
#include "engine/stages/activation.hpp"
#include "engine/stages/bias_gradient.hpp"
#include "engine/stages/convolution_passes.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

/// What both kinds of stages have in common.
template <class T>
class KernelStage : public Stage<T>,
                    public Infers<T>,
                    public WorksInBlocks<T>,
                    public BoundsGradient {
 public:
  KernelStage(const StageContext<T>& c, const ConvolutionSizes<T>& sizes)
      : parameters_(c.parameters),
        weight_(&sizes.weight),
        bias_(c.parameters.find(c.owner, "bias")),
        sizes_(sizes),
        forward_(sizes),
        bias_gradient_(c.kernels, bias_, c.backward) {
    if (c.backward)
      weight_gradient_ = std::make_unique<ConvolutionWeightGradient<T>>(sizes, forward_);
  }

  bool has_parameters() const override { return true; }

  // rows: of y
  Cost cost(std::int64_t rows) const override {
    const bool gradient = this->dy.data;
    const double passes = 1.0 + (gradient ? 1.0 : 0.0) + (this->dx.data ? 1.0 : 0.0);
    const double images = static_cast<double>(rows) / static_cast<double>(this->y.positions);
    const double outputs = images * static_cast<double>(sizes_.windows.outputs());
    const double weights =
        static_cast<double>(weight_->shape.rows) * static_cast<double>(sizes_.filters());
    const double inputs = images * static_cast<double>(sizes_.windows.inputs() * sizes_.channels);
    const double copied = forward_.form().is_copied() ? 2.0 * inputs : 0.0;
    const double numbers = passes * (inputs + outputs * static_cast<double>(sizes_.filters()));
    const double weights_moved = passes + (gradient ? 1.0 : 0.0);  // the update reads and writes
    return {2.0 * passes * weights * outputs,
            (numbers + copied + weights_moved * weights) * sizeof(T)};
  }

  bool infers_in_place() const override { return false; }

  bool reads_y_again() const override { return false; }
  double gradient_bound(std::int64_t) override {
    return weight_gradient_->norm() + bias_gradient_.norm();
  }
  void store_gradients(const Step<T>& step, ThreadSlice slice) override {
    weight_gradient_->store(step, slice);
    bias_gradient_.store(step, slice);
  }

 protected:
  std::string describe_as(const char* name, std::int64_t inputs) const {
    const model::Window& down = sizes_.windows.y;
    const std::string rows =
        down.inputs == 1 && down.size == 1 ? "" : std::to_string(down.size) + "x";
    return std::string(name) + " " + rows + std::to_string(sizes_.windows.x.size) + ", " +
           std::to_string(inputs) + " -> " + std::to_string(this->outputs());
  }

  const T* weight() const { return parameters_.at(weight_); }
  const T* bias() const { return parameters_.at(bias_); }

  const Parameters<T>& parameters_;
  const Parameter* weight_;
  const Parameter* bias_;
  ConvolutionSizes<T> sizes_;
  ConvolutionForward<T> forward_;
  std::unique_ptr<ConvolutionWeightGradient<T>> weight_gradient_;  // null: inference only
  BiasGradient<T> bias_gradient_;
};

template <class T>
class ConvolutionStage final : public KernelStage<T>, public EndsInActivation, public Streams<T> {
 public:
  ConvolutionStage(const StageContext<T>& c, const ConvolutionSizes<T>& sizes)
      : KernelStage<T>(c, sizes),
        copies_(c.backward ? this->forward_.copies_of(sizes.images)
                           : c.threads * this->forward_.block_copies()) {
    if (!c.backward) return;
    input_gradient_ = std::make_unique<ConvolutionInputGradient<T>>(sizes);
    scratch_ = Buffer<T>(c.threads * input_gradient_->scratch_size());
  }

  std::string describe() const override {
    return this->describe_as("convolution", this->sizes_.channels);
  }
  std::int64_t outputs() const override { return this->sizes_.filters(); }

  // x: (rows inputs) x channels, or flat, y: (rows outputs) x filters
  void forward(const Step<T>& step, ThreadContext& context) override {
    const ThreadSlice slice = context.slice();
    const bool keeps_copies = input_gradient_ != nullptr;
    const Range images = step.rows_of(slice);
    T* copies = copies_.data() + (keeps_copies ? this->forward_.copies_of(images.begin)
                                               : slice.index * this->forward_.block_copies());
    this->forward_.run(images.size(), this->weight(), this->bias(), this->x.batch_row(images.begin),
                       this->y.batch_row(images.begin), copies, keeps_copies);
  }

  // dy: (rows outputs) x filters, dx: (rows inputs) x channels, or flat
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const ThreadSlice slice = context.slice();
    if (!step.own) {
      prepare_backward(slice);
      context.barrier();
    }
    const Range images = step.rows_of(slice);
    input_gradient_->run(images.size(), nullptr, this->dy.batch_row(images.begin),
                         this->dx.batch_row(images.begin),
                         scratch_.data() + slice.index * input_gradient_->scratch_size());
  }

  void gradients(const Step<T>& step, ThreadContext& context) override {
    sum_gradients({0, step.rows}, context.slice());
    this->store_gradients(step, context.slice());
  }

  /// Copies of x are kept.
  bool reads_x_again() const override { return !this->forward_.form().is_copied(); }
  void prepare_backward(ThreadSlice slice) override {
    if (this->dx.data) input_gradient_->make_kernel(this->weight(), slice);
  }
  void sum_gradients(Range rows, ThreadSlice slice) override {
    this->weight_gradient_->run(rows.size(), rows.begin > 0, slice, this->x.batch_row(rows.begin),
                                copies_.data() + this->forward_.copies_of(rows.begin),
                                this->dy.batch_row(rows.begin));
    this->bias_gradient_.add(rows, slice, this->dy);
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    const std::int64_t x_rows = this->sizes_.has_flat_images ? 1 : this->sizes_.windows.inputs();
    const std::int64_t images = p.rows / x_rows;
    this->forward_.run(images, this->weight(), this->bias(), p.x, p.y, static_cast<T*>(p.scratch),
                       false);
    if (infer_activation_.kind != kernels::ActivationKind::linear)
      this->sizes_.kernels.activation_forward(
          {infer_activation_, images * this->sizes_.windows.outputs(), outputs(), p.y_stride}, p.y,
          p.y);
  }
  void fuse_activation(const Activation& next) override {
    infer_activation_ = kernel_function<T>(next);
  }
  std::int64_t infer_scratch_bytes(std::int64_t) const override {
    return this->forward_.block_copies() * std::int64_t{sizeof(T)};
  }

  // One position, of a time axis of one. `kept`: the sums of its frames so far, and a ring of as
  // many frames as a window looks back, each twice, so that those of a window lie at one distance.
  // y(f) = b(f) + sum over kernel position and channel, in this order, of x W. x: 1 x channels
  std::int64_t stream_size() const override {
    return past() > 0 ? padded<T>(outputs()) + 2 * past() * this->sizes_.channels : 0;
  }
  void begin(T* kept, std::int64_t position) const noexcept override {
    const model::Window& w = this->sizes_.windows.x;
    const std::int64_t channels = this->sizes_.channels;
    add_terms(this->bias(), {0, w.size - 1, channels, w.dilation * channels, false},
              frame(kept, position), kept, kLinear);
  }
  void stream(const InferArgs<T>& p, T* kept, std::int64_t position) const noexcept override {
    const std::int64_t channels = this->sizes_.channels;
    add_terms(kept, {this->weight_->shape.rows - channels, 1, channels, 0, false}, p.x, p.y,
              infer_activation_);
    T* oldest = frame(kept, position);
    std::copy_n(p.x, channels, oldest);
    std::copy_n(p.x, channels, oldest + past() * channels);
  }

 private:
  static constexpr kernels::ActivationFunction<T> kLinear{kernels::ActivationKind::linear, {}};

  /// Frames that a window reaches back.
  std::int64_t past() const { return this->sizes_.windows.x.span() - 1; }
  /// The oldest frame that the window of a position reads; the next ones lie behind it.
  T* frame(T* kept, std::int64_t position) const {
    return kept + padded<T>(outputs()) + position % past() * this->sizes_.channels;
  }
  void add_terms(const T* start, const kernels::RowTerms& terms, const T* from, T* sums,
                 const kernels::ActivationFunction<T>& activation) const {
    this->sizes_.kernels.forward_row_terms(
        {this->weight_->shape, this->weight(), start, activation}, terms, from, sums);
  }

  kernels::ActivationFunction<T> infer_activation_ = kLinear;
  Buffer<T> copies_;  // of all x where the gradients read them, else of a block for each thread
  std::unique_ptr<ConvolutionInputGradient<T>> input_gradient_;  // null: inference only
  Buffer<T> scratch_;                                            // its own, for each thread
};

template <class T>
class TransposedConvolutionStage final : public KernelStage<T> {
 public:
  TransposedConvolutionStage(const StageContext<T>& c, const ConvolutionSizes<T>& sizes)
      : KernelStage<T>(c, sizes),
        input_gradient_(sizes),
        scratch_(c.threads * input_gradient_.scratch_size()),
        is_trained_(c.backward),
        copies_(c.backward ? this->forward_.copies_of(sizes.images) : 0) {}

  std::string describe() const override {
    return this->describe_as("transposed convolution", this->sizes_.filters());
  }
  std::int64_t outputs() const override { return this->sizes_.channels; }

  void refresh() override {
    if (!is_trained_) input_gradient_.make_kernel(this->weight(), {0, 1});
  }

  // x: (rows outputs) x filters, y: (rows inputs) x channels
  void forward(const Step<T>& step, ThreadContext& context) override {
    const ThreadSlice slice = context.slice();
    if (is_trained_ && !step.own) {
      context.barrier();  // no thread still uses the last step's kernel
      prepare_forward(slice);
      context.barrier();
    }
    const Range images = step.rows_of(slice);
    input_gradient_.run(images.size(), this->bias(), this->x.batch_row(images.begin),
                        this->y.batch_row(images.begin),
                        scratch_.data() + slice.index * input_gradient_.scratch_size());
  }

  // dx(o, f) = sum over kernel row, kernel column and channel, in this order, of dy W
  // dy: (rows inputs) x channels, dx: (rows outputs) x filters
  void backward(const Step<T>& step, ThreadContext& context) override {
    const Range images = step.rows_of(context.slice());
    const T* from = this->dy.batch_row(images.begin);
    T* copies = copies_.data() + this->forward_.copies_of(images.begin);
    if (this->dx.data) {
      this->forward_.run(images.size(), this->weight(), nullptr, from,
                         this->dx.batch_row(images.begin), copies, true);
    } else {
      this->forward_.copy(images.size(), from, copies);  // for the weight gradient
    }
  }

  void gradients(const Step<T>& step, ThreadContext& context) override {
    sum_gradients({0, step.rows}, context.slice());
    this->store_gradients(step, context.slice());
  }

  bool prepares_forward() const override { return is_trained_; }
  void prepare_forward(ThreadSlice slice) override {
    input_gradient_.make_kernel(this->weight(), slice);
  }
  void sum_gradients(Range rows, ThreadSlice slice) override {
    this->weight_gradient_->run(rows.size(), rows.begin > 0, slice, this->dy.batch_row(rows.begin),
                                copies_.data() + this->forward_.copies_of(rows.begin),
                                this->x.batch_row(rows.begin));
    this->bias_gradient_.add(rows, slice, this->dy);
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    input_gradient_.run(p.rows / this->sizes_.windows.outputs(), this->bias(), p.x, p.y,
                        static_cast<T*>(p.scratch));
  }
  std::int64_t infer_scratch_bytes(std::int64_t) const override {
    return input_gradient_.scratch_size() * std::int64_t{sizeof(T)};
  }

 private:
  ConvolutionInputGradient<T> input_gradient_;
  Buffer<T> scratch_;  // its own, for each thread
  bool is_trained_;
  Buffer<T> copies_;  // of all dy
};

}  // namespace

template <class T>
void add_convolution(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const auto& convolution = dynamic_cast<const Convolution&>(layer);
  const Shape& x = context.shapes[0];
  ConvolutionSizes<T> sizes{.kernels = context.kernels,
                            .weight = *context.parameters.find(context.owner, "weight"),
                            .windows = KernelWindows::of(convolution, x),
                            .channels = x.columns(),
                            .images = 0,
                            .has_flat_images = context.inputs == x.size()};
  if (convolution.is_transposed()) {
    sizes.channels = convolution.filters;
    sizes.images = context.rows / sizes.windows.inputs();
    sizes.has_flat_images = false;
    stages.push_back(std::make_unique<TransposedConvolutionStage<T>>(context, sizes));
  } else {
    sizes.images = context.rows / sizes.windows.outputs();
    stages.push_back(std::make_unique<ConvolutionStage<T>>(context, sizes));
  }
  append_activation(convolution.activation, context, convolution.filters, stages);
}

CHAINRULE_INSTANTIATE_FACTORY(add_convolution)

}  // namespace chainrule::engine
