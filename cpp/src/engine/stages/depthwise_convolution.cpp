// SPDX-License-Identifier: Apache-2.0
// Convolutions of each channel by itself (kernels/depthwise.hpp). The input gradient is a sum over
// the outputs that each input is in, so it is the same kernel with other terms. Where each channel
// has several outputs, the stage reads channels that a stage before it has repeated.
#include <algorithm>
#include <numeric>

#include "engine/inference/infers.hpp"
#include "engine/stages/bias_gradient.hpp"
#include "engine/stages/stages.hpp"
#include "model/convolution.hpp"

namespace chainrule::engine {
namespace {

using kernels::AxisRun;
using kernels::AxisTerm;
using model::Window;

/// The terms of the places along an axis, as kernels read them.
class AxisSums {
 public:
  /// y of x: the kernel's entries that lie inside the axis, in order.
  static AxisSums forward(const Window& w) {
    return {w.outputs, 1, w.stride, [&](std::int64_t output) {
              std::vector<AxisTerm> terms;
              for (std::int64_t e = 0; e < w.size; ++e) {
                const std::int64_t place = output * w.stride - w.before + e * w.dilation;
                if (place >= 0 && place < w.inputs) terms.push_back({place, e});
              }
              return terms;
            }};
  }
  /// dx of dy: the outputs that have the input, in order, so entries come from the last to the
  /// first.
  static AxisSums backward(const Window& w) {
    return {w.inputs, w.stride, 1, [&](std::int64_t input) {
              std::vector<AxisTerm> terms;
              for (std::int64_t e = w.size; e-- > 0;) {
                const std::int64_t from = input + w.before - e * w.dilation;
                if (from >= 0 && from % w.stride == 0 && from / w.stride < w.outputs)
                  terms.push_back({from / w.stride, e});
              }
              return terms;
            }};
  }

  AxisSums(const AxisSums&) = delete;  // runs point to terms
  AxisSums& operator=(const AxisSums&) = delete;

  kernels::AxisRuns runs() const { return {runs_.data(), static_cast<std::int64_t>(runs_.size())}; }

 private:
  /// next: from a place to one that may have the same entries, `step` places further on.
  template <class TermsOf>
  AxisSums(std::int64_t places, std::int64_t next, std::int64_t step, const TermsOf& terms_of) {
    for (std::int64_t first = 0; first < std::min(next, places); ++first) {
      for (std::int64_t place = first; place < places; place += next) {
        std::vector<AxisTerm> terms = terms_of(place);
        if (place == first || !goes_on(terms, step)) {
          runs_.push_back({place, next, 0, step, nullptr, static_cast<std::int64_t>(terms.size())});
          terms_.push_back(std::move(terms));
          runs_.back().terms = terms_.back().data();
        }
        ++runs_.back().count;
      }
    }
  }

  /// Whether these are the terms of the next place of the last run.
  bool goes_on(const std::vector<AxisTerm>& terms, std::int64_t step) const {
    const std::int64_t moved = runs_.back().count * step;
    return std::equal(terms.begin(), terms.end(), terms_.back().begin(), terms_.back().end(),
                      [&](const AxisTerm& a, const AxisTerm& b) {
                        return a.entry == b.entry && a.place == b.place + moved;
                      });
  }

  std::vector<std::vector<AxisTerm>> terms_;  // of each run
  std::vector<AxisRun> runs_;
};

/// For each entry of the kernel the outputs that have it inside the axis.
std::vector<kernels::Span> output_spans(const Window& w) {
  std::vector<kernels::Span> spans;
  for (std::int64_t e = 0; e < w.size; ++e) {
    const std::int64_t from = w.before - e * w.dilation;  // output o reads o stride - from
    const auto first_at = [&](std::int64_t place) {
      return std::clamp<std::int64_t>((std::max<std::int64_t>(0, place) + w.stride - 1) / w.stride,
                                      0, w.outputs);
    };
    spans.push_back({first_at(from), first_at(from + w.inputs)});
  }
  return spans;
}

template <class T>
class DepthwiseConvolutionStage final : public Stage<T>,
                                        public Infers<T>,
                                        public Streams<T>,
                                        public WorksInBlocks<T>,
                                        public BoundsGradient {
 public:
  DepthwiseConvolutionStage(const StageContext<T>& c, const Window& down, const Window& across)
      : kernels_(c.kernels),
        parameters_(c.parameters),
        weight_(c.parameters.find(c.owner, "weight")),
        bias_(c.parameters.find(c.owner, "bias")),
        y_(down),
        x_(across),
        channels_(weight_->shape.columns),
        rows_(AxisSums::forward(down)),
        columns_(AxisSums::forward(across)),
        frame_columns_(AxisSums::forward({across.size, across.size, 1, 1, 0, 0, 1})),
        gradient_rows_(AxisSums::backward(down)),
        gradient_columns_(AxisSums::backward(across)),
        row_spans_(output_spans(down)),
        column_spans_(output_spans(across)),
        gradient_(c.backward ? weight_->size : 0),
        bias_gradient_(c.kernels, bias_, c.backward) {}

  std::string describe() const override {
    const bool is_sequence = y_.inputs == 1 && y_.size == 1;
    return "depthwise convolution " + (is_sequence ? "" : std::to_string(y_.size) + "x") +
           std::to_string(x_.size) + ", " + std::to_string(channels_);
  }
  std::int64_t outputs() const override { return channels_; }
  bool has_parameters() const override { return true; }

  // rows: of y
  Cost cost(std::int64_t rows) const override {
    const std::int64_t passes = 1 + (this->dy.data ? 1 : 0) + (this->dx.data ? 1 : 0);
    const std::int64_t images = rows / outputs_of_image();
    const std::int64_t positions = images * (inputs_of_image() + outputs_of_image());
    return {
        2.0 * static_cast<double>(passes * rows * weight_->shape.rows * channels_),
        static_cast<double>(passes * (positions + weight_->shape.rows) * channels_) * sizeof(T)};
  }

  // y(o, c) = b(c) + sum over kernel row and kernel column inside the image, in this order, of x W
  // x: (rows inputs) x channels, W: kernel positions x channels, y: (rows outputs) x channels
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range images = step.rows_of(context.slice());
    run(images.size(), this->x.batch_row(images.begin), this->y.batch_row(images.begin));
  }

  // dx(i, c) = sum over kernel row and kernel column, each from the last to the first, of dy W
  // dy: (rows outputs) x channels, dx: (rows inputs) x channels
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range images = step.rows_of(context.slice());
    kernels_.depthwise({.shape = weight_->shape,
                        .kernel_width = x_.size,
                        .weight = parameters_.at(weight_),
                        .bias = nullptr,
                        .rows = gradient_rows_.runs(),
                        .columns = gradient_columns_.runs(),
                        .images = images.size(),
                        .stride = this->dy.stride,
                        .x = this->dy.batch_row(images.begin),
                        .x_width = x_.outputs,
                        .x_positions = outputs_of_image(),
                        .y = this->dx.batch_row(images.begin),
                        .y_width = x_.inputs,
                        .y_positions = inputs_of_image()});
  }

  // dW(k, c) = sum over rows and outputs that have k inside the image, in order, of x dy, (kernel
  // positions x channels). A thread owns rows of the kernel, those of a panel of channels one
  // behind the other.
  void gradients(const Step<T>& step, ThreadContext& context) override {
    sum_gradients({0, step.rows}, context.slice());
    store_gradients(step, context.slice());
  }
  void sum_gradients(Range images, ThreadSlice slice) override {
    const Range rows = kernel_rows(slice);
    for (std::int64_t row = rows.begin; row < rows.end; ++row) kernel_row_gradient(images, row);
    bias_gradient_.add(images, slice, this->dy);
  }
  bool reads_y_again() const override { return false; }
  double gradient_bound(std::int64_t) override {
    double sum = 0.0;
    for (const T *g = gradient_.data(), *end = g + gradient_.size(); g < end; ++g)
      sum += double{*g} * double{*g};
    return norm_from<T>(sum, gradient_.size()) + bias_gradient_.norm();
  }
  void store_gradients(const Step<T>& step, ThreadSlice slice) override {
    const Range rows = kernel_rows(slice);
    store_or_apply_gradient(step, *weight_, entry_of(rows.begin),
                            gradient_.data() + entry_of(rows.begin),
                            entry_of(rows.end) - entry_of(rows.begin));
    bias_gradient_.store(step, slice);
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    run(p.rows / inputs_of_image(), p.x, p.y);
  }
  bool infers_in_place() const override { return false; }

  // One position, of a time axis of one: `kept` is a ring of the frames that a window spans, which
  // are copied side by side.
  std::int64_t stream_size() const override {
    return x_.size > 1 ? x_.span() * row_stride<T>(channels_) : 0;
  }
  void stream(const InferArgs<T>& p, T* kept,
              const StreamPosition& position) const noexcept override {
    const std::int64_t stride = row_stride<T>(channels_);
    const std::int64_t newest = position.index % x_.span();
    std::copy_n(p.x, stride, kept + newest * stride);
    auto* window = static_cast<T*>(p.scratch);
    for (std::int64_t k = 0; k < x_.size; ++k)
      std::copy_n(kept + (newest + 1 + k * x_.dilation) % x_.span() * stride, stride,
                  window + k * stride);
    run(1, window, p.y, frame_columns_, x_.size, 1);
  }
  std::int64_t infer_scratch_bytes(std::int64_t) const override {
    return inputs_of_image() > 1 ? 0 : x_.size * row_stride<T>(channels_) * std::int64_t{sizeof(T)};
  }

 private:
  std::int64_t inputs_of_image() const { return y_.inputs * x_.inputs; }
  std::int64_t outputs_of_image() const { return y_.outputs * x_.outputs; }

  void run(std::int64_t images, const T* from, T* to) const noexcept {
    run(images, from, to, columns_, x_.inputs, x_.outputs);
  }
  void run(std::int64_t images, const T* from, T* to, const AxisSums& columns, std::int64_t x_width,
           std::int64_t y_width) const noexcept {
    kernels_.depthwise({.shape = weight_->shape,
                        .kernel_width = x_.size,
                        .weight = parameters_.at(weight_),
                        .bias = parameters_.at(bias_),
                        .rows = rows_.runs(),
                        .columns = columns.runs(),
                        .images = images,
                        .stride = row_stride<T>(channels_),
                        .x = from,
                        .x_width = x_width,
                        .x_positions = y_.inputs * x_width,
                        .y = to,
                        .y_width = y_width,
                        .y_positions = y_.outputs * y_width});
  }

  Range kernel_rows(ThreadSlice slice) const {
    return slice.range(weight_->shape.panels() * y_.size);
  }

  /// Where a row of the kernel begins; rows count through panel after panel.
  std::int64_t entry_of(std::int64_t row) const {
    const kernels::PanelShape& shape = weight_->shape;
    const std::int64_t panel = row / y_.size;
    if (panel == shape.panels()) return weight_->size;
    return shape.offset(panel) + row % y_.size * x_.size * shape.width(panel);
  }

  void kernel_row_gradient(Range images, std::int64_t row) {
    const kernels::PanelShape& shape = weight_->shape;
    const std::int64_t panel = row / y_.size;
    const std::int64_t entry = row % y_.size;
    T* own = gradient_.data() + entry_of(row);
    kernels_.depthwise_gradient({.shape = shape,
                                 .panel = panel,
                                 .kernel_width = x_.size,
                                 .outputs = row_spans_[static_cast<std::size_t>(entry)],
                                 .column_spans = column_spans_.data(),
                                 .row_step = y_.stride,
                                 .row_offset = entry * y_.dilation - y_.before,
                                 .column_step = x_.stride,
                                 .column_dilation = x_.dilation,
                                 .column_offset = -x_.before,
                                 .images = images.size(),
                                 .stride = this->x.stride,
                                 .x = this->x.batch_row(images.begin),
                                 .x_width = x_.inputs,
                                 .x_positions = inputs_of_image(),
                                 .dy = this->dy.batch_row(images.begin),
                                 .y_width = x_.outputs,
                                 .y_positions = outputs_of_image(),
                                 .g = own,
                                 .adds = images.begin > 0});
    // What lies behind the columns of x may be any numbers.
    for (std::int64_t i = 0; i < x_.size; ++i, own += shape.width(panel))
      std::fill(own + shape.own_columns(panel), own + shape.width(panel), T(0));
  }

  const kernels::KernelTable<T>& kernels_;
  const Parameters<T>& parameters_;
  const Parameter* weight_;
  const Parameter* bias_;
  Window y_;  // along rows
  Window x_;  // along columns
  std::int64_t channels_;
  AxisSums rows_, columns_, frame_columns_;
  AxisSums gradient_rows_, gradient_columns_;
  std::vector<kernels::Span> row_spans_, column_spans_;  // of the kernel's rows and columns
  Buffer<T> gradient_;                                   // dW
  BiasGradient<T> bias_gradient_;
};

}  // namespace

template <class T>
void add_depthwise_convolution(const Layer& layer, const StageContext<T>& context,
                               Stages<T>& stages) {
  const auto& convolution = dynamic_cast<const DepthwiseConvolution&>(layer);
  const std::vector<Window> windows = model::windows_of(convolution, context.shapes[0]);
  const std::int64_t outputs = context.inputs * convolution.depth_multiplier;
  if (outputs > context.inputs) {
    add_take(model::repeated_channels(convolution, context.inputs), context, stages);
    stages.back()->y_positions = context.shapes[0].positions();
  }
  const Window down = windows.size() == 2 ? windows[0] : Window{1, 1, 1, 1, 0, 0, 1};
  stages.push_back(std::make_unique<DepthwiseConvolutionStage<T>>(context, down, windows.back()));
  append_activation(convolution.activation, context, outputs, stages);
}

CHAINRULE_INSTANTIATE_FACTORY(add_depthwise_convolution)

}  // namespace chainrule::engine
