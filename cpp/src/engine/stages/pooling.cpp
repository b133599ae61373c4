// SPDX-License-Identifier: Apache-2.0
// Windows of positions as one position each: the largest of MaxPooling and GlobalMaxPooling, and
// sums, of which AveragePooling, UpSampling, ZeroPadding, Cropping and Position are cases.
#include "model/pooling.hpp"

#include <algorithm>
#include <string>

#include "chainrule/pooling_layers.hpp"
#include "chainrule/shape_layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"
#include "engine/stages/windows.hpp"

namespace chainrule::engine {
namespace {

/// What both kinds of stages have in common. A thread owns rows of the batch as a whole.
template <class T>
class WindowStage : public Stage<T>, public Infers<T>, public WorksInBlocks<T> {
 public:
  WindowStage(const StageContext<T>& c, std::string name, Windows windows)
      : kernels_(c.kernels),
        name_(std::move(name)),
        columns_(c.inputs),
        windows_(std::move(windows)),
        reversed_(windows_.reversed()) {}

  std::string describe() const override { return name_; }
  std::int64_t outputs() const override { return columns_; }

  Cost cost(std::int64_t rows) const override {
    const std::int64_t positions = windows_.x_positions() + windows_.y_positions();
    const std::int64_t batch = rows / windows_.y_positions();
    const std::int64_t passes = this->dx.data ? 2 : 1;
    return {0.0, static_cast<double>(passes * batch * positions * columns_) * sizeof(T)};
  }

  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range batch = step.rows_of(context.slice());
    run(batch.size(), this->x.stride, this->x.batch_row(batch.begin),
        this->y.batch_row(batch.begin));
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    run(p.rows / windows_.x_positions(), p.x_stride, p.x, p.y);
  }
  bool infers_in_place() const override { return false; }
  bool reads_x_again() const override { return false; }
  bool reads_y_again() const override { return false; }

 protected:
  /// From x, (batch x_positions) x columns, to y, (batch y_positions) x columns, at one stride.
  virtual void run(std::int64_t batch, std::int64_t stride, const T* from,
                   T* to) const noexcept = 0;

  const kernels::KernelTable<T>& kernels_;
  std::string name_;
  std::int64_t columns_;
  Windows windows_;   // of x, for each position of y
  Windows reversed_;  // of y, for each position of x
};

/// y(q, :) = factor(q) (sum over the positions p of window q, in order, of x(p, :)), where factors
/// are 1 / (how many there are) for a mean, else 1.
template <class T>
class WindowSumStage final : public WindowStage<T> {
 public:
  WindowSumStage(const StageContext<T>& c, std::string name, Windows windows, bool mean)
      : WindowStage<T>(c, std::move(name), std::move(windows)) {
    if (!mean) return;
    for (const std::int64_t count : this->windows_.counts())
      factors_.push_back(static_cast<T>(1.0 / static_cast<double>(count)));
  }

  // dx(p, :) = sum over the windows q that have p, in order, of factor(q) dy(q, :)
  // dy: (batch y_positions) x columns, dx: (batch x_positions) x columns
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range batch = step.rows_of(context.slice());
    this->kernels_.sum_windows(this->reversed_.shape(), {factors(), nullptr}, batch.size(),
                               this->x.stride, this->dy.batch_row(batch.begin),
                               this->dx.batch_row(batch.begin));
  }

 protected:
  void run(std::int64_t batch, std::int64_t stride, const T* from, T* to) const noexcept override {
    this->kernels_.sum_windows(this->windows_.shape(), {nullptr, factors()}, batch, stride, from,
                               to);
  }

 private:
  const T* factors() const { return factors_.empty() ? nullptr : factors_.data(); }

  std::vector<T> factors_;
};

/// y(q, :) = the largest x(p, :) of window q
template <class T>
class WindowMaximumStage final : public WindowStage<T> {
 public:
  WindowMaximumStage(const StageContext<T>& c, std::string name, Windows windows)
      : WindowStage<T>(c, std::move(name), std::move(windows)),
        chosen_(c.backward ? checked_product(c.rows, row_stride<T>(c.inputs)) : 0) {
    const std::vector<std::int64_t> holders = this->reversed_.counts();
    disjoint_ = std::all_of(holders.begin(), holders.end(), [](auto count) { return count <= 1; });
    for (std::size_t p = 0; p < holders.size(); ++p)
      if (!disjoint_ || holders[p] == 0) cleared_.push_back(static_cast<std::int64_t>(p));
  }

  // Training notes the positions that are chosen, so that the backward pass reads neither x nor y.
  void forward(const Step<T>& step, ThreadContext& context) override {
    if (chosen_.empty()) return WindowStage<T>::forward(step, context);
    const Range batch = step.rows_of(context.slice());
    this->kernels_.max_windows_noting(this->windows_.shape(), batch.size(), this->x.stride,
                                      this->x.batch_row(batch.begin),
                                      this->y.batch_row(batch.begin), chosen_at(batch.begin));
  }

  // dx(p, :) = sum over the windows q whose first largest number is p's, in order, of dy(q, :)
  // dy: (batch y_positions) x columns, dx: (batch x_positions) x columns
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range batch = step.rows_of(context.slice());
    this->kernels_.max_windows_backward(
        this->windows_.shape(),
        {disjoint_, cleared_.data(), static_cast<std::int64_t>(cleared_.size())}, batch.size(),
        this->x.stride, chosen_at(batch.begin), this->dy.batch_row(batch.begin),
        this->dx.batch_row(batch.begin));
  }

 protected:
  void run(std::int64_t batch, std::int64_t stride, const T* from, T* to) const noexcept override {
    this->kernels_.max_windows(this->windows_.shape(), batch, stride, from, to);
  }

 private:
  kernels::WindowChoice<T>* chosen_at(std::int64_t batch_row) {
    return chosen_.data() + batch_row * this->windows_.y_positions() * this->y.stride;
  }

  bool disjoint_;
  std::vector<std::int64_t> cleared_;
  Buffer<kernels::WindowChoice<T>> chosen_;  // of y's shape; empty: inference only
};

/// The windows of a pool; those at the border are smaller.
Windows pooling_windows(const Pooling& layer, const Shape& shape) {
  std::vector<AxisSpans> axes;
  for (const model::Window& window : model::pool_windows(layer, shape)) {
    AxisSpans& axis = axes.emplace_back(AxisSpans{window.inputs, {}});
    for (std::int64_t o = 0; o < window.outputs; ++o) {
      const std::int64_t begin = o * window.stride - window.before;
      axis.spans.push_back(
          {std::max<std::int64_t>(begin, 0), std::min(begin + window.size, window.inputs)});
    }
  }
  return Windows(std::move(axes));
}

/// A window of one position, or none, for each place: `from(axis, place)` is that position.
template <class From>
Windows copies(const Shape& x, const Shape& y, From from) {
  std::vector<AxisSpans> axes;
  for (std::size_t a = 0; a + 1 < x.extents().size(); ++a) {
    AxisSpans& axis = axes.emplace_back(AxisSpans{x.extents()[a], {}});
    for (std::int64_t place = 0; place < y.extents()[a]; ++place) {
      const std::int64_t p = from(a, place);
      const bool inside = p >= 0 && p < axis.x_extent;
      axis.spans.push_back(inside ? kernels::Span{p, p + 1} : kernels::Span{0, 0});
    }
  }
  return Windows(std::move(axes));
}

template <class T>
void append_sum(const Layer& layer, const StageContext<T>& context, Windows windows, bool mean,
                Stages<T>& stages) {
  if (!windows.are_identity())
    stages.push_back(std::make_unique<WindowSumStage<T>>(context, std::string(layer.kind()),
                                                         std::move(windows), mean));
}

}  // namespace

template <class T>
void add_pooling(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const auto& pooling = dynamic_cast<const Pooling&>(layer);
  Windows windows = pooling_windows(pooling, context.shapes[0]);
  if (dynamic_cast<const AveragePooling*>(&layer))
    append_sum(layer, context, std::move(windows), true, stages);
  else if (!windows.are_identity())
    stages.push_back(std::make_unique<WindowMaximumStage<T>>(context, std::string(layer.kind()),
                                                             std::move(windows)));
}

template <class T>
void add_global_max_pooling(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const std::int64_t positions = context.shapes[0].positions();
  stages.push_back(std::make_unique<WindowMaximumStage<T>>(
      context, std::string(layer.kind()), Windows({{positions, {{0, positions}}}})));
}

template <class T>
void add_up_sampling(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const Shape& x = context.shapes[0];
  const auto sizes = model::up_sampling_sizes(dynamic_cast<const UpSampling&>(layer), x);
  append_sum(layer, context,
             copies(x, layer.output_shape({x}),
                    [&](std::size_t axis, std::int64_t place) { return place / sizes[axis]; }),
             false, stages);
}

template <class T>
void add_zero_padding(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const Shape& x = context.shapes[0];
  const auto added =
      model::borders(layer.kind(), "padding", dynamic_cast<const ZeroPadding&>(layer).padding, x);
  append_sum(
      layer, context,
      copies(x, layer.output_shape({x}),
             [&](std::size_t axis, std::int64_t place) { return place - added[axis].before; }),
      false, stages);
}

template <class T>
void add_cropping(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const Shape& x = context.shapes[0];
  const auto cut =
      model::borders(layer.kind(), "cropping", dynamic_cast<const Cropping&>(layer).cropping, x);
  append_sum(layer, context,
             copies(x, layer.output_shape({x}),
                    [&](std::size_t axis, std::int64_t place) { return place + cut[axis].before; }),
             false, stages);
}

// All other positions are cropped.
template <class T>
void add_position(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const std::int64_t time = context.shapes[0].positions();
  const std::int64_t index = dynamic_cast<const Position&>(layer).index;
  const std::int64_t before = index < 0 ? time + index : index;
  add_cropping(Cropping({before, time - 1 - before}), context, stages);
}

CHAINRULE_INSTANTIATE_FACTORY(add_pooling)
CHAINRULE_INSTANTIATE_FACTORY(add_global_max_pooling)
CHAINRULE_INSTANTIATE_FACTORY(add_up_sampling)
CHAINRULE_INSTANTIATE_FACTORY(add_zero_padding)
CHAINRULE_INSTANTIATE_FACTORY(add_cropping)
CHAINRULE_INSTANTIATE_FACTORY(add_position)

}  // namespace chainrule::engine
