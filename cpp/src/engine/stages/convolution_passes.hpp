// SPDX-License-Identifier: Apache-2.0
// The three passes of a convolution y = b + x * W: forward, and its gradients dx and dW. Its
// transpose has the same ones in other places: its forward pass is dx of y, its dx is y of dx, and
// its dW has x and dy exchanged. No pass copies windows (kernels/convolution.hpp). What they read
// lies side by side, with zeros around each image where windows reach over the edge: where an image
// does not lie so already, it is copied once. Where the windows lie is worked out in
// engine/stages/convolution_windows.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/cache.hpp"
#include "engine/norm.hpp"
#include "engine/stages/convolution_windows.hpp"
#include "engine/stages/stage.hpp"
#include "model/convolution.hpp"

namespace chainrule::engine {

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

/// What the passes of a convolution have in common.
template <class T>
struct ConvolutionSizes {
  const kernels::KernelTable<T>& kernels;
  const Parameter& weight;  // (terms of a window) x filters
  KernelWindows windows;
  std::int64_t channels;
  std::int64_t images;   // most of a step
  bool has_flat_images;  // x has the numbers of an image in one row without padding

  std::int64_t filters() const { return weight.shape.columns; }
  std::int64_t x_stride() const { return has_flat_images ? channels : row_stride<T>(channels); }
  std::int64_t x_image() const {
    return has_flat_images ? row_stride<T>(windows.inputs() * channels)
                           : windows.inputs() * row_stride<T>(channels);
  }
  /// How many images of `image` numbers half of L2 holds.
  std::int64_t images_in_l2(std::int64_t image) const {
    const std::int64_t bytes = image * std::int64_t{sizeof(T)};
    return std::clamp<std::int64_t>(cache_sizes().l2 / 2 / bytes, 1,
                                    std::max<std::int64_t>(1, images));
  }
};

/// y of x.
template <class T>
class ConvolutionForward {
 public:
  explicit ConvolutionForward(const ConvolutionSizes<T>& c)
      : kernels_(c.kernels),
        shape_(c.weight.shape),
        windows_(c.windows.y, c.windows.x, c.channels, row_stride<T>(c.filters())),
        form_{c.windows.y.inputs, c.windows.x.inputs, c.channels,
              c.x_stride(),       c.x_image(),        windows_.border},
        y_image_(c.windows.outputs() * row_stride<T>(c.filters())),
        block_(c.images_in_l2(form_.read_image() + y_image_)) {}

  const ForwardWindows& windows() const { return windows_; }
  const ImageForm& form() const { return form_; }  // of x
  std::int64_t y_image() const { return y_image_; }

  /// The numbers of copies of this many images, or of the most that `run` copies at a time.
  std::int64_t copies_of(std::int64_t images) const {
    return form_.is_copied() ? checked_product(images, form_.copy_image()) : 0;
  }
  std::int64_t block_copies() const { return copies_of(block_); }

  /// Calls work(images) for as many of `images` at a time as L2 holds.
  template <class Work>
  void in_blocks_of(std::int64_t images, const Work& work) const {
    for (std::int64_t begin = 0; begin < images; begin += block_)
      work(Range{begin, std::min(images, begin + block_)});
  }

  /// Copies images of x, if they have to be.
  void copy(std::int64_t images, const T* x, T* copies) const {
    if (form_.is_copied()) kernels_.add_border(form_.copy(images, x, copies));
  }

  // y(o, f) = b(f) + sum over kernel row, kernel column and channel, in this order, of x W
  // x: (images inputs) x channels, or flat, W: (terms of a window) x filters, y: (images outputs) x
  // filters; copies: of these images, which are kept, or of a block
  void run(std::int64_t images, const T* weight, const T* bias, const T* x, T* y, T* copies,
           bool keeps_copies) const {
    in_blocks_of(images, [&](Range some) {
      const T* from = x + some.begin * form_.image;
      if (form_.is_copied()) {
        T* to = keeps_copies ? copies + some.begin * form_.copy_image() : copies;
        kernels_.add_border(form_.copy(some.size(), from, to));
        from = to;
      }
      kernels_.convolve({shape_, weight, 0, bias, windows_.terms.data(),
                         static_cast<std::int64_t>(windows_.terms.size()), windows_.places.data(),
                         static_cast<std::int64_t>(windows_.places.size()), some.size(), from,
                         form_.read_image(), y + some.begin * y_image_, y_image_});
    });
  }

 private:
  const kernels::KernelTable<T>& kernels_;
  kernels::PanelShape shape_;
  ForwardWindows windows_;
  ImageForm form_;
  std::int64_t y_image_;
  std::int64_t block_;  // images
};

/// dx of dy: one convolution of dy for each phase of dx, by the kernel with its taps in reverse and
/// its channels and filters exchanged, which is made whenever the weights have changed.
template <class T>
class ConvolutionInputGradient {
 public:
  explicit ConvolutionInputGradient(const ConvolutionSizes<T>& c)
      : kernels_(c.kernels),
        weight_(c.weight),
        channels_(c.channels),
        filters_(c.filters()),
        inputs_(c.windows.inputs()),
        windows_(c.windows.y, c.windows.x, filters_, row_stride<T>(channels_)),
        form_{c.windows.y.outputs,
              c.windows.x.outputs,
              filters_,
              row_stride<T>(filters_),
              c.windows.outputs() * row_stride<T>(filters_),
              windows_.border},
        dx_image_(c.x_image()),
        image_(inputs_ * row_stride<T>(channels_)),
        block_(c.images_in_l2(form_.read_image() + image_)),
        is_flat_(c.has_flat_images),
        kernel_(c.windows.taps() * filters_ * padded<T>(channels_)) {}

  /// The numbers that `run` needs for itself.
  std::int64_t scratch_size() const { return block_copies() + (is_flat_ ? block_ * image_ : 0); }

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

  // dx(i, c) = b(c) + sum over kernel row, kernel column, each from the last to the first, and
  // filter, in this order, of dy W; b: null for zero
  // dy: (images outputs) x filters, dx: (images inputs) x channels, or flat
  void run(std::int64_t images, const T* bias, const T* dy, T* dx, T* scratch) const {
    T* padded_rows = scratch + block_copies();
    for (std::int64_t begin = 0; begin < images; begin += block_) {
      const std::int64_t count = std::min(block_, images - begin);
      const T* from = dy + begin * form_.image;
      T* to = is_flat_ ? padded_rows : dx + begin * image_;
      if (form_.is_copied()) {
        kernels_.add_border(form_.copy(count, from, scratch));
        from = scratch;
      }
      std::int64_t tap = 0;
      for (const GradientPhase& phase : windows_.phases) {
        const T* kernel = kernel_.data() + tap * filters_ * padded<T>(channels_);
        for (const GradientRows& rows : phase.rows)
          kernels_.convolve({shape_of(phase), kernel, rows.first_tap * filters_, bias,
                             rows.terms.data(), size_of(rows.terms), rows.places.data(),
                             size_of(rows.places), count, from, form_.read_image(), to, image_});
        tap += size_of(phase.taps);
      }
      for (std::int64_t i = 0; i < count && is_flat_; ++i)
        kernels_.copy_columns(to + i * image_, row_stride<T>(channels_),
                              dx + (begin + i) * dx_image_, channels_, inputs_, channels_);
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
  std::int64_t block_copies() const { return form_.is_copied() ? block_ * form_.copy_image() : 0; }

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
  ImageForm form_;  // of dy
  std::int64_t dx_image_;
  std::int64_t image_;  // of dx with padded rows
  std::int64_t block_;
  bool is_flat_;
  Buffer<T> kernel_;  // of phase after phase
};

/// dW of x and dy.
template <class T>
class ConvolutionWeightGradient {
 public:
  /// forward: whose windows of x these are.
  ConvolutionWeightGradient(const ConvolutionSizes<T>& c, const ConvolutionForward<T>& forward)
      : kernels_(c.kernels),
        weight_(c.weight),
        forward_(forward),
        block_(std::max<std::int64_t>(
            1, cache_sizes().l1 / (c.windows.x.outputs * kGradientOutputBytes))),
        gradient_(c.weight.size) {}

  // dW(t, f) = sum over images and outputs, in order, of x(o + t) dy(o, f), (terms of a window x
  // filters). x, copies: as ConvolutionForward has read them; dy: (images outputs) x filters, with
  // any numbers behind its columns
  // A thread owns neighbouring rows of panels, which it goes through for each block of images.
  // Where it `adds`, the sums go on from those of the images before.
  void run(std::int64_t all, bool adds, ThreadSlice slice, const T* x, const T* copies,
           const T* dy) {
    const Range rows = rows_of(slice);
    forward_.in_blocks_of(all, [&](Range images) {
      for (std::int64_t row = rows.begin; row < rows.end;)
        row = add_images(images, adds || images.begin > 0, row, rows.end, x, copies, dy);
    });
  }

  void store(const Step<T>& step, ThreadSlice slice) {
    const Range rows = rows_of(slice);
    clear_padding(rows);
    store_or_apply_gradient(step, weight_, entry_of(rows.begin),
                            gradient_.data() + entry_of(rows.begin),
                            entry_of(rows.end) - entry_of(rows.begin));
  }

  /// The 2-norm of dW.
  double norm() const {
    const kernels::PanelShape& shape = weight_.shape;
    double sum = 0.0;
    for (std::int64_t row = 0; row < shape.panels() * shape.rows; ++row) {
      const T* entries = gradient_.data() + entry_of(row);
      for (std::int64_t j = 0; j < shape.own_columns(row / shape.rows); ++j)
        sum += double{entries[j]} * double{entries[j]};
    }
    return norm_from<T>(sum, weight_.size);
  }

 private:
  /// Whole tiles of most sizes. Threads own as many rows of panels together, or where that would
  /// leave some with much less to do, any number.
  static constexpr std::int64_t kTileRows = 12;
  /// Of L1 for each output whose x and dy are used again and again: more than their lines, since
  /// strides are often powers of two, which use few sets of the cache.
  static constexpr std::int64_t kGradientOutputBytes = 576;

  Range rows_of(ThreadSlice slice) const {
    const std::int64_t all = weight_.shape.panels() * weight_.shape.rows;
    return slice.range(all, all < 4 * kTileRows * slice.count ? 1 : kTileRows);
  }

  /// Where a row of a panel begins; rows count through panel after panel.
  std::int64_t entry_of(std::int64_t row) const {
    const kernels::PanelShape& shape = weight_.shape;
    const std::int64_t panel = row / shape.rows;
    if (panel == shape.panels()) return weight_.size;
    return shape.offset(panel) + row % shape.rows * shape.width(panel);
  }

  /// Rows of dW from `row` on, those of one panel, for some images; returns the row behind them.
  std::int64_t add_images(Range images, bool adds, std::int64_t row, std::int64_t end, const T* x,
                          const T* copies, const T* dy) {
    const kernels::PanelShape& shape = weight_.shape;
    const ForwardWindows& windows = forward_.windows();
    const ImageForm& form = forward_.form();
    const std::int64_t panel = row / shape.rows;
    const std::int64_t first = row % shape.rows;
    const std::int64_t last = std::min(shape.rows, first + end - row);
    kernels_.convolution_gradient(
        {.shape = shape,
         .panel = panel,
         .begin = first,
         .end = last,
         .terms = windows.rows.data(),
         .windows = windows.output_rows.data(),
         .window_runs = static_cast<std::int64_t>(windows.output_rows.size()),
         .step = windows.step,
         .block = block_,
         .images = images.size(),
         .x = (form.is_copied() ? copies : x) + images.begin * form.read_image(),
         .x_image = form.read_image(),
         .dy = dy + images.begin * forward_.y_image() + panel * shape.panel,
         .dy_stride = row_stride<T>(shape.columns),
         .g = gradient_.data() + entry_of(row),
         .adds = adds});
    return row + last - first;
  }

  void clear_padding(Range rows) {
    const kernels::PanelShape& shape = weight_.shape;
    for (std::int64_t row = rows.begin; row < rows.end; ++row) {
      const std::int64_t panel = row / shape.rows;
      T* entries = gradient_.data() + entry_of(row);
      std::fill(entries + shape.own_columns(panel), entries + shape.width(panel), T(0));
    }
  }

  const kernels::KernelTable<T>& kernels_;
  const Parameter& weight_;
  const ConvolutionForward<T>& forward_;
  std::int64_t block_;  // output rows that L1 holds
  Buffer<T> gradient_;
};

}  // namespace chainrule::engine
