// SPDX-License-Identifier: Apache-2.0
// Convolutions and their two gradients, without copies of windows (kernels/convolution.hpp). What
// they read lies side by side, with zeros around each image where windows reach over the edge:
// where x does not lie so already, the forward pass copies it once, and the backward pass dy. Where
// the windows lie is worked out in engine/stages/convolution_windows.hpp.
#include "model/convolution.hpp"

#include <algorithm>

#include "engine/cache.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/convolution_windows.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

/// The windows along rows and columns; a sequence is an image of one row.
struct KernelWindows {
  model::Window y;
  model::Window x;

  static KernelWindows of(const Convolution& layer, const Shape& input) {
    const std::vector<model::Window> windows = model::windows_of(layer, input);
    if (windows.size() == 2) return {windows[0], windows[1]};
    return {{1, 1, 1, 1, 0, 0, 1}, windows[0]};
  }
  std::int64_t taps() const { return y.size * x.size; }
  std::int64_t inputs() const { return y.inputs * x.inputs; }
  std::int64_t outputs() const { return y.outputs * x.outputs; }
};

/// Images of a tensor as kernels read them: in place where they lie side by side there and need no
/// border, else a copy.
struct ImageForm {
  std::int64_t height, width, columns;
  std::int64_t stride, image;  // numbers from a position, and from an image, to the next
  Border border;

  bool is_copied() const { return stride != columns || !border.is_empty(); }
  std::int64_t copy_image() const {
    return (border.top + height + border.bottom) * (border.left + width + border.right) * columns;
  }
  std::int64_t read_image() const { return is_copied() ? copy_image() : image; }

  template <class T>
  kernels::BorderArgs<T> copy(std::int64_t images, const T* from, T* to) const {
    return {images,      height,       width, columns, border.top, border.bottom,
            border.left, border.right, from,  image,   stride,     to};
  }
};

/// Whether x has the numbers of an image in one row without padding.
template <class T>
bool is_flat(const StageContext<T>& c) {
  return c.inputs == c.shapes[0].size();
}

/// How many of such images half of L2 holds.
template <class T>
std::int64_t images_in_l2(std::int64_t image, std::int64_t most) {
  const std::int64_t bytes = image * std::int64_t{sizeof(T)};
  return std::clamp<std::int64_t>(cache_sizes().l2 / 2 / bytes, 1, std::max<std::int64_t>(1, most));
}

/// dx of a convolution: one convolution of dy for each phase of dx, by the kernel with its taps in
/// reverse and its channels and filters exchanged, which is made once a step.
template <class T>
class InputGradient {
 public:
  InputGradient(const StageContext<T>& c, const KernelWindows& windows, const Parameter& weight)
      : kernels_(c.kernels),
        weight_(weight),
        channels_(c.shapes[0].columns()),
        filters_(weight.shape.columns),
        inputs_(windows.inputs()),
        windows_(windows.y, windows.x, filters_, row_stride<T>(channels_)),
        image_(inputs_ * row_stride<T>(channels_)),
        form_{windows.y.outputs,
              windows.x.outputs,
              filters_,
              row_stride<T>(filters_),
              windows.outputs() * row_stride<T>(filters_),
              windows_.border},
        block_(images_in_l2<T>(form_.read_image() + image_, c.rows / windows.outputs())),
        kernel_(windows.taps() * filters_ * padded<T>(channels_)),
        copies_(form_.is_copied() ? c.threads * block_ * form_.copy_image() : 0),
        padded_rows_(is_flat(c) ? c.threads * block_ * image_ : 0) {}

  /// Makes this thread's part of the kernel: whole taps.
  void make_kernel(const T* weight, ThreadSlice slice) {
    std::int64_t tap = 0;  // in the order of the phases
    const Range mine = slice.range(kernel_.size() / (filters_ * padded<T>(channels_)));
    for (const GradientPhase& phase : windows_.phases) {
      const kernels::PanelShape to = shape_of(phase);
      T* kernel = kernel_.data() + tap * filters_ * padded<T>(channels_);
      for (std::size_t i = 0; i < phase.taps.size(); ++i, ++tap) {
        if (tap >= mine.begin && tap < mine.end)
          transpose_tap(weight, phase.taps[i], to, static_cast<std::int64_t>(i) * filters_, kernel);
      }
    }
  }

  // dx(i, c) = sum over kernel row, kernel column, each from the last to the first, and filter, in
  // this order, of dy W. dy: (images outputs) x filters, dx: (images inputs) x channels, or flat
  void run(Range images, const Tensor<T>& dy, const Tensor<T>& dx, ThreadSlice slice) {
    T* copies = copies_.data() + slice.index * block_ * form_.copy_image();
    T* padded_rows = padded_rows_.data() + slice.index * block_ * image_;
    for (std::int64_t begin = images.begin; begin < images.end; begin += block_) {
      const std::int64_t count = std::min(block_, images.end - begin);
      const T* from = dy.data + begin * form_.image;
      T* to = padded_rows_.empty() ? dx.data + begin * image_ : padded_rows;
      if (form_.is_copied()) {
        kernels_.add_border(form_.copy(count, from, copies));
        from = copies;
      }
      std::int64_t tap = 0;
      for (const GradientPhase& phase : windows_.phases) {
        kernels_.convolve({shape_of(phase), kernel_.data() + tap * filters_ * padded<T>(channels_),
                           nullptr, phase.terms.data(), size_of(phase.terms), phase.places.data(),
                           size_of(phase.places), count, from, form_.read_image(), to, image_});
        tap += size_of(phase.taps);
      }
      for (std::int64_t i = 0; i < count && !padded_rows_.empty(); ++i)
        kernels_.copy_columns(to + i * image_, row_stride<T>(channels_), dx.row(begin + i),
                              channels_, inputs_, channels_);
    }
  }

 private:
  template <class Values>
  static std::int64_t size_of(const Values& values) {
    return static_cast<std::int64_t>(values.size());
  }
  kernels::PanelShape shape_of(const GradientPhase& phase) const {
    return {size_of(phase.taps) * filters_, channels_, kernels_.panel, kernels::kRowAlignment<T>};
  }

  // to(row + f, c) = W(tap c, f), panel by panel of both
  void transpose_tap(const T* weight, std::int64_t tap, const kernels::PanelShape& to,
                     std::int64_t row, T* kernel) const {
    const kernels::PanelShape& from = weight_.shape;
    for (std::int64_t q = 0; q < to.panels(); ++q) {
      for (std::int64_t p = 0; p < from.panels(); ++p) {
        const T* square = weight + from.index(tap * channels_ + q * to.panel, p * from.panel);
        kernels_.pack_transposed(square, from.width(p), to.own_columns(q), from.own_columns(p),
                                 kernel + to.index(row + p * from.panel, q * to.panel));
      }
    }
  }

  const kernels::KernelTable<T>& kernels_;
  const Parameter& weight_;
  std::int64_t channels_;
  std::int64_t filters_;
  std::int64_t inputs_;  // positions
  GradientWindows windows_;
  std::int64_t image_;  // of dx with padded rows
  ImageForm form_;      // of dy
  std::int64_t block_;
  Buffer<T> kernel_;       // of phase after phase
  Buffer<T> copies_;       // of the dy of a block for each thread
  Buffer<T> padded_rows_;  // dx of a block for each thread, where dx is flat
};

template <class T>
class ConvolutionStage final : public Stage<T>, public Infers<T>, public Streams<T> {
 public:
  ConvolutionStage(const StageContext<T>& c, const KernelWindows& windows)
      : kernels_(c.kernels),
        parameters_(c.parameters),
        weight_(c.parameters.find(c.owner, "weight")),
        bias_(c.parameters.find(c.owner, "bias")),
        windows_(windows),
        channels_(c.shapes[0].columns()),
        filters_(weight_->shape.columns),
        x_columns_(c.inputs),
        forward_(windows.y, windows.x, channels_, row_stride<T>(filters_)),
        x_form_{windows.y.inputs,
                windows.x.inputs,
                channels_,
                is_flat(c) ? channels_ : row_stride<T>(channels_),
                is_flat(c) ? row_stride<T>(c.inputs) : windows.inputs() * row_stride<T>(channels_),
                forward_.border},
        y_image_(windows.outputs() * row_stride<T>(filters_)),
        block_(images_in_l2<T>(x_form_.read_image() + y_image_, c.rows / windows.outputs())),
        keeps_copies_(c.backward),
        x_copies_(copies(c)),
        gradient_(c.backward ? weight_->size : 0),
        bias_gradient_(c.backward ? padded<T>(filters_) : 0) {
    if (c.backward) input_gradient_ = std::make_unique<InputGradient<T>>(c, windows, *weight_);
  }

  std::string describe() const override {
    const std::string rows = is_sequence() ? "" : std::to_string(windows_.y.size) + "x";
    return "convolution " + rows + std::to_string(windows_.x.size) + ", " +
           std::to_string(channels_) + " -> " + std::to_string(filters_);
  }
  std::int64_t outputs() const override { return filters_; }
  bool has_parameters() const override { return true; }

  // rows: of the outputs
  Cost cost(std::int64_t rows) const override {
    const bool gradient = this->dy.data;
    const double passes = 1.0 + (gradient ? 1.0 : 0.0) + (this->dx.data ? 1.0 : 0.0);
    const auto outputs = static_cast<double>(rows);
    const double weights = static_cast<double>(weight_->shape.rows) * static_cast<double>(filters_);
    const double images = outputs / static_cast<double>(windows_.outputs());
    const double inputs = images * static_cast<double>(windows_.inputs());
    const double copied = x_form_.is_copied() ? 2.0 * inputs * static_cast<double>(channels_) : 0.0;
    const double numbers = passes * (inputs * static_cast<double>(channels_) +
                                     outputs * static_cast<double>(filters_));
    const double weights_moved = passes + (gradient ? 1.0 : 0.0);  // the update reads and writes
    return {2.0 * passes * weights * outputs,
            (numbers + copied + weights_moved * weights) * sizeof(T)};
  }

  // y(o, f) = b(f) + sum over kernel row, kernel column and channel, in this order, of x W
  // x: (rows inputs) x channels, or flat, W: (terms of a window) x filters, y: (rows outputs) x
  // filters
  void forward(const Step<T>& step, ThreadContext& context) override {
    const ThreadSlice slice = context.slice();
    in_blocks_of(step.rows_of(slice), [&](Range images) {
      const std::int64_t place = keeps_copies_ ? images.begin : slice.index * block_;
      convolve(images.size(), this->x.data + images.begin * x_form_.image,
               x_copies_.data() + place * x_form_.copy_image(),
               this->y.data + images.begin * y_image_);
    });
  }

  // dx, as InputGradient says. dy: (rows outputs) x filters, dx: (rows inputs) x channels
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const ThreadSlice slice = context.slice();
    input_gradient_->make_kernel(parameters_.at(weight_), slice);
    context.barrier();
    input_gradient_->run(step.rows_of(slice), this->dy, this->dx, slice);
  }

  // dW(t, f) = sum over rows and outputs, in order, of x(o + t) dy(o, f), (terms of a window x
  // filters); db = sum over all of dy, (filters)
  // A thread owns neighbouring rows of panels, which it goes through for each block of images.
  void gradients(const Step<T>& step, ThreadContext& context) override {
    const ThreadSlice slice = context.slice();
    const Range rows = slice.range(weight_->shape.panels() * weight_->shape.rows, kShareRows);
    T* g = step.gradients ? step.gradients + weight_->offset : gradient_.data();
    in_blocks_of({0, step.rows}, [&](Range images) {
      for (std::int64_t row = rows.begin; row < rows.end;)
        row = weight_gradient(images, row, rows.end, g);
    });
    if (step.update) {
      const auto entry = [&](std::int64_t row) { return entry_of(row); };
      step.update->apply(*weight_, entry(rows.begin), g + entry(rows.begin),
                         entry(rows.end) - entry(rows.begin));
    }
    if (!bias_) return;
    const Range columns = slice.range(padded<T>(filters_), kernels::kRowAlignment<T>);
    if (columns.size() == 0) return;
    kernels_.column_sums(this->dy.data, this->dy.stride, this->rows(step), columns.begin,
                         columns.end, bias_gradient_.data());
    store_or_apply_gradient(step, *bias_, columns.begin, bias_gradient_.data() + columns.begin,
                            columns.size());
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    in_blocks_of({0, p.rows * x_columns_ / (windows_.inputs() * channels_)}, [&](Range images) {
      convolve(images.size(), p.x + images.begin * x_form_.image, static_cast<T*>(p.scratch),
               p.y + images.begin * y_image_);
    });
  }
  bool infers_in_place() const override { return false; }
  std::int64_t infer_scratch_bytes(std::int64_t) const override {
    return x_form_.is_copied() ? block_ * x_form_.copy_image() * std::int64_t{sizeof(T)} : 0;
  }

  // One position, of a time axis of one: `kept` is a ring of the frames that a window spans.
  // y(f) = b(f) + sum over kernel position and channel, in this order, of x W. x: 1 x channels
  std::int64_t stream_size() const override {
    return windows_.x.size > 1 ? windows_.x.span() * channels_ : 0;
  }
  void stream(const InferArgs<T>& p, T* kept, std::int64_t position) const noexcept override {
    const model::Window& w = windows_.x;
    const std::int64_t newest = position % w.span();
    std::copy_n(p.x, channels_, kept + newest * channels_);
    auto* window = static_cast<T*>(p.scratch);
    std::int64_t frame = newest + 1 == w.span() ? 0 : newest + 1;
    for (std::int64_t k = 0; k < w.size; ++k) {
      std::copy_n(kept + frame * channels_, channels_, window + k * channels_);
      frame += w.dilation;
      if (frame >= w.span()) frame -= w.span();
    }
    const T* weight = parameters_.at(weight_);
    kernels_.forward_row({weight_->shape, weight, parameters_.at(bias_), kLinear}, window, p.y,
                         nullptr);
  }

 private:
  /// Rows of a panel that a thread owns together: whole tiles of most sizes.
  static constexpr std::int64_t kShareRows = 24;
  /// Of L1 for each output whose x and dy are used again and again: more than their lines, since
  /// strides are often powers of two, which use few sets of the cache.
  static constexpr std::int64_t kGradientOutputBytes = 576;

  static constexpr kernels::ActivationFunction<T> kLinear{kernels::ActivationKind::linear, {}};

  bool is_sequence() const { return windows_.y.inputs == 1 && windows_.y.size == 1; }

  /// Of the whole batch where the gradients read them, else of a block for each thread.
  Buffer<T> copies(const StageContext<T>& c) const {
    if (!x_form_.is_copied()) return {};
    const std::int64_t images = keeps_copies_ ? c.rows / windows_.outputs() : c.threads * block_;
    return Buffer<T>(checked_product(images, x_form_.copy_image()));
  }

  template <class Work>
  void in_blocks_of(Range images, const Work& work) const {
    for (std::int64_t begin = images.begin; begin < images.end; begin += block_)
      work(Range{begin, std::min(images.end, begin + block_)});
  }

  /// Some images, which it copies first if it has to.
  void convolve(std::int64_t images, const T* from, T* copies, T* to) const {
    if (x_form_.is_copied()) {
      kernels_.add_border(x_form_.copy(images, from, copies));
      from = copies;
    }
    kernels_.convolve({weight_->shape, parameters_.at(weight_), parameters_.at(bias_),
                       forward_.terms.data(), static_cast<std::int64_t>(forward_.terms.size()),
                       forward_.places.data(), windows_.outputs(), images, from,
                       x_form_.read_image(), to, y_image_});
  }

  /// Where a row of a panel begins; rows count through panel after panel.
  std::int64_t entry_of(std::int64_t row) const {
    const kernels::PanelShape& shape = weight_->shape;
    const std::int64_t panel = row / shape.rows;
    if (panel == shape.panels()) return weight_->size;
    return shape.offset(panel) + row % shape.rows * shape.width(panel);
  }

  /// Rows of dW from `row` on, those of one panel, for some images; returns the row behind them.
  std::int64_t weight_gradient(Range images, std::int64_t row, std::int64_t end, T* g) const {
    const kernels::PanelShape& shape = weight_->shape;
    const std::int64_t panel = row / shape.rows;
    const std::int64_t first = row % shape.rows;
    const std::int64_t last = std::min(shape.rows, first + end - row);
    const std::int64_t bytes = windows_.x.outputs * kGradientOutputBytes;
    kernels_.convolution_gradient(
        {.shape = shape,
         .panel = panel,
         .begin = first,
         .end = last,
         .terms = forward_.rows.data(),
         .windows = forward_.output_rows.data(),
         .window_runs = windows_.y.outputs,
         .step = forward_.step,
         .block = std::max<std::int64_t>(1, cache_sizes().l1 / bytes),
         .images = images.size(),
         .x = x_form_.is_copied() ? x_copies_.data() + images.begin * x_form_.copy_image()
                                  : this->x.data + images.begin * x_form_.image,
         .x_image = x_form_.read_image(),
         .dy = this->dy.data + images.begin * y_image_ + panel * shape.panel,
         .dy_stride = this->dy.stride,
         .g = g + entry_of(row),
         .adds = images.begin > 0});
    return row + last - first;
  }

  const kernels::KernelTable<T>& kernels_;
  Parameters<T>& parameters_;
  const Parameter* weight_;
  const Parameter* bias_;
  KernelWindows windows_;
  std::int64_t channels_;
  std::int64_t filters_;
  std::int64_t x_columns_;
  ForwardWindows forward_;
  ImageForm x_form_;
  std::int64_t y_image_;
  std::int64_t block_;  // images
  bool keeps_copies_;
  Buffer<T> x_copies_;
  Buffer<T> gradient_;  // dW, where the step has no place for it
  Buffer<T> bias_gradient_;
  std::unique_ptr<InputGradient<T>> input_gradient_;
};

}  // namespace

template <class T>
void add_convolution(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const auto& convolution = dynamic_cast<const Convolution&>(layer);
  stages.push_back(std::make_unique<ConvolutionStage<T>>(
      context, KernelWindows::of(convolution, context.shapes[0])));
  append_activation(convolution.activation, context, convolution.filters, stages);
}

CHAINRULE_INSTANTIATE_FACTORY(add_convolution)

}  // namespace chainrule::engine
