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
    if (!c.backward) {
      strip_groups_ = strip_groups();
      return;
    }
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

  // One position, of a time axis of one. x: 1 x channels
  // y(f) = b(f) + sum over kernel position k and channel, in this order, of x W. Each frame adds
  // its terms to the sums of all outputs whose windows hold it. So `kept` has for each k but the
  // last the sums up to it, of the next `dilation` outputs that have these, at the place of the
  // output modulo dilation; and a ring of the frames that a window looks back to.
  std::int64_t stream_size() const override {
    return (window().span() - 1) * (padded<T>(outputs()) + this->sizes_.channels);
  }
  void stream(const InferArgs<T>& p, T* kept,
              const StreamPosition& position) const noexcept override {
    const model::Window& w = window();
    const std::int64_t past = w.span() - 1;
    const std::int64_t columns = padded<T>(outputs());
    const std::int64_t next_tap = w.dilation * columns;  // to the sums up to the next k
    T* sums = kept + position.index % w.dilation * columns;
    T* frames = kept + (w.size - 1) * next_tap;
    // Sums that were begun with other weights are made anew.
    if (position.index - position.weights_from < past)
      add_past_terms(frames, position.index, sums + (w.size - 2) * next_tap);
    for (const StripGroup& group : strip_groups_) {
      kernels::RowStrip<T> strips[kMostStrips];
      for (std::int64_t i = 0; i < group.count; ++i) {
        const Strip& strip = group.strips[i];
        strips[i] = {strip.weight, strip.bias ? strip.bias : sums + strip.start,
                     (strip.is_last ? p.y : sums) + strip.sums};
      }
      this->sizes_.kernels.row_strips(strips, group.count, p.x, this->sizes_.channels,
                                      group.stride);
    }
    std::copy_n(p.x, this->sizes_.channels, frames + position.index % past * this->sizes_.channels);
    if (infer_activation_.kind != kernels::ActivationKind::linear)
      this->sizes_.kernels.activation_forward({infer_activation_, 1, outputs(), 0}, p.y, p.y);
  }

 private:
  static constexpr kernels::ActivationFunction<T> kLinear{kernels::ActivationKind::linear, {}};
  static constexpr T kZeroLine[kernels::kRowAlignment<T>] = {};

  const model::Window& window() const { return this->sizes_.windows.x; }

  /// sums = b + the terms of all frames of a window but the newest
  void add_past_terms(const T* frames, std::int64_t position, T* sums) const noexcept {
    const model::Window& w = window();
    const std::int64_t channels = this->sizes_.channels;
    for (std::int64_t k = 0; k + 1 < w.size; ++k) {
      const std::int64_t frame = (position + k * w.dilation) % (w.span() - 1);
      this->sizes_.kernels.forward_row_terms(
          {this->weight_->shape, this->weight(), k > 0 ? sums : this->bias(), kLinear},
          {k * channels, channels, false}, frames + frame * channels, sums);
    }
  }

  /// A line of the sums up to one k: where they begin, at a bias or at the sums up to the k before,
  /// and go, counted from the first sums or of the last k from y.
  struct Strip {
    const T* weight;
    const T* bias;
    std::int64_t start, sums;
    bool is_last;
  };
  /// Some of a panel's, from the last k to the first, since each begins where the next one goes.
  static constexpr std::int64_t kMostStrips = 16;
  struct StripGroup {
    std::int64_t count = 0, stride = 0;
    Strip strips[kMostStrips] = {};
  };

  std::vector<StripGroup> strip_groups() const {
    const kernels::PanelShape& shape = this->weight_->shape;
    const std::int64_t next_tap = window().dilation * padded<T>(outputs());
    std::vector<StripGroup> groups;
    for (std::int64_t p = 0; p < shape.panels(); ++p) {
      const std::int64_t stride = shape.width(p);
      for (std::int64_t j = 0; j < stride; j += kernels::kRowAlignment<T>) {
        const std::int64_t column = p * shape.panel + j;
        for (std::int64_t k = window().size - 1; k >= 0; --k) {
          if (groups.empty() || groups.back().count == kMostStrips ||
              groups.back().stride != stride)
            groups.push_back({.stride = stride});
          StripGroup& group = groups.back();
          const bool is_last = k + 1 == window().size;
          const std::int64_t start = (k - 1) * next_tap + column;
          group.strips[group.count++] = {
              this->weight() + shape.offset(p) + k * this->sizes_.channels * stride + j,
              k > 0         ? nullptr
              : this->bias_ ? this->bias() + column
                            : kZeroLine,
              start, is_last ? column : start + next_tap, is_last};
        }
      }
    }
    return groups;
  }

  kernels::ActivationFunction<T> infer_activation_ = kLinear;
  std::vector<StripGroup> strip_groups_;
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
