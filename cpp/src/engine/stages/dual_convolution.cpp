// SPDX-License-Identifier: Apache-2.0
// Convolutions of dual numbers by those of real ones. What such a stage makes is B(x, W) + b, with
// a B that is linear in both. With values v and tangents t, B' for the gradient of x and G for that
// of W:
//
//   y.v = B(x.v, W.v) + b.v        y.t = B(x.t, W.v) + B(x.v, W.t) + b.t
//   dx.v = B'(dy.v, W.v)           dx.t = B'(dy.t, W.v) + B'(dy.v, W.t)
//   dW.v = G(x.v, dy.v)            dW.t = G(x.v, dy.t) + G(x.t, dy.v)
//   db.v = the sum of dy.v         db.t = the sum of dy.t
//
// The values' bits are those of the real layer.
#include <array>

#include "chainrule/convolution_layers.hpp"
#include "engine/stages/stages.hpp"
#include "kernels/dispatch.hpp"
#include "kernels/dual.hpp"
#include "model/convolution.hpp"

namespace chainrule::engine {
namespace {

using kernels::Dual;

/// A real convolution with parameters of its own, without its activation.
struct RealConvolution {
  RealConvolution(const Graph& graph, const Layer& layer, StageFactory<double> factory,
                  const StageContext<Dual>& c)
      : parameters(graph, kernels::active<double>().panel) {
    Stages<double> stages;
    factory(layer,
            {.kernels = kernels::active<double>(),
             .parameters = parameters,
             .layer = c.layer,
             .owner = parameters.list().front().layer,
             .random = c.random,
             .shapes = c.shapes,
             .inputs = c.inputs,
             .frozen = c.frozen,
             .rows = c.rows,
             .threads = c.threads,
             .backward = true,
             .training = nullptr,
             .calls = c.calls},
            stages);
    stage = std::move(stages.front());
  }

  /// Its parameters become the values or tangents of others, in the same order.
  void take(const Parameter& p, const Parameter& from, const Dual* numbers, double Dual::* part) {
    for (std::int64_t i = 0; i < from.size; ++i)
      parameters.values.data()[p.offset + i] = numbers[i].*part;
  }

  Parameters<double> parameters;
  std::unique_ptr<Stage<double>> stage;
  Buffer<double> y, dx;
};

class DualConvolutionStage final : public Stage<Dual> {
 public:
  DualConvolutionStage(const Graph& graph, const Layer& description, StageFactory<double> factory,
                       const StageContext<Dual>& c)
      : parameters_(c.parameters),
        weight_(c.parameters.find(c.owner, "weight")),
        bias_(c.parameters.find(c.owner, "bias")),
        batch_(c.rows / description.output_shape(c.shapes).positions()),
        values_(graph, description, factory, c),
        x_tangents_(graph, description, factory, c),
        weight_tangents_(graph, description, factory, c) {
    for (Buffer<double>& arena : arenas_) arena = Buffer<double>(values_.parameters.arena_size());
    gradient_ = Buffer<Dual>(values_.parameters.arena_size());
  }

  std::string describe() const override { return values_.stage->describe(); }
  std::int64_t outputs() const override { return values_.stage->outputs(); }
  bool has_parameters() const override { return true; }

  void refresh() override {
    take(weight_, 0);
    if (bias_) take(bias_, 1);
    connect();
    for (RealConvolution* each : all()) each->stage->refresh();
  }

  // x: (rows inputs) x channels, or flat, y: (rows outputs) x filters
  void forward(const Step<Dual>& step, ThreadContext& context) override {
    const Range images = step.rows_of(context.slice());
    split(x, images, x_);
    for (RealConvolution* each : all()) each->stage->forward(real(step), context);
    join(images, values_.y, x_tangents_.y, weight_tangents_.y, y);
  }

  // dy: (rows outputs) x filters, dx: (rows inputs) x channels, or flat
  void backward(const Step<Dual>& step, ThreadContext& context) override {
    const Range images = step.rows_of(context.slice());
    split(dy, images, dy_);
    for (RealConvolution* each : all()) each->stage->backward(real(step), context);
    if (dx.data) join(images, values_.dx, x_tangents_.dx, weight_tangents_.dx, dx);
  }

  // dW: (terms of a window) x filters
  void gradients(const Step<Dual>& step, ThreadContext& context) override {
    gradient_of(values_, 0, step, context);
    // Each of x with the other part of dy, of which the backward pass has copied nothing.
    context.barrier();
    if (context.first_thread()) {
      read_gradient(values_, dy_.tangents);
      read_gradient(x_tangents_, dy_.values);
    }
    context.barrier();
    values_.stage->backward(real(step), context);
    x_tangents_.stage->backward(real(step), context);
    context.barrier();
    gradient_of(values_, 1, step, context);
    gradient_of(x_tangents_, 2, step, context);
    context.barrier();
    store(step, context, *weight_, 0, true);
    if (bias_) store(step, context, *bias_, 1, false);
  }

 private:
  /// A tensor's values and tangents, laid out as they are together.
  struct Parts {
    Buffer<double> values, tangents;
  };

  std::array<RealConvolution*, 3> all() { return {&values_, &x_tangents_, &weight_tangents_}; }

  static Step<double> real(const Step<Dual>& step) {
    return {.rows = step.rows, .training = step.training};
  }

  /// The array at a place of the list: its values and tangents, and no bias where x has tangents.
  void take(const Parameter* p, std::size_t place) {
    const Parameter& own = values_.parameters.list()[place];
    const Dual* numbers = parameters_.at(p);
    values_.take(own, *p, numbers, &Dual::value);
    weight_tangents_.take(own, *p, numbers, &Dual::tangent);
    if (p == weight_) x_tangents_.take(own, *p, numbers, &Dual::value);
  }

  /// The plan has given the stage its tensors.
  void connect() {
    make(x, x_);
    make(dy, dy_);
    for (RealConvolution* each : all()) {
      const bool takes_tangents = each == &x_tangents_;
      Stage<double>& stage = *each->stage;
      stage.x = tensor(x, takes_tangents ? x_.tangents : x_.values);
      stage.dy = tensor(dy, takes_tangents ? dy_.tangents : dy_.values);
      if (each->y.empty()) each->y = Buffer<double>(size(y));
      if (each->dx.empty() && dx.data) each->dx = Buffer<double>(size(dx));
      stage.y = tensor(y, each->y);
      stage.dx = tensor(dx, each->dx);
    }
  }
  std::int64_t size(const Tensor<Dual>& t) const { return batch_ * t.positions * t.stride; }
  void make(const Tensor<Dual>& t, Parts& parts) const {
    if (!parts.values.empty() || !t.data) return;
    parts.values = Buffer<double>(size(t));
    parts.tangents = Buffer<double>(size(t));
  }
  static Tensor<double> tensor(const Tensor<Dual>& t, Buffer<double>& numbers) {
    return {numbers.data(), t.columns, t.stride, t.positions};
  }
  static void read_gradient(RealConvolution& of, Buffer<double>& dy) {
    of.stage->dy.data = dy.data();
    of.stage->dx.data = nullptr;
  }

  static void split(const Tensor<Dual>& from, Range images, Parts& to) {
    const std::int64_t row = from.positions * from.stride;
    for (std::int64_t i = images.begin * row; i < images.end * row; ++i) {
      to.values.data()[i] = from.data[i].value;
      to.tangents.data()[i] = from.data[i].tangent;
    }
  }
  // to = {values, first + second}
  static void join(Range images, const Buffer<double>& values, const Buffer<double>& first,
                   const Buffer<double>& second, const Tensor<Dual>& to) {
    const std::int64_t row = to.positions * to.stride;
    for (std::int64_t i = images.begin * row; i < images.end * row; ++i)
      to.data[i] = {values.data()[i], first.data()[i] + second.data()[i]};
  }

  void gradient_of(RealConvolution& of, std::size_t arena, const Step<Dual>& step,
                   ThreadContext& context) {
    Step<double> own = real(step);
    own.gradients = arenas_[arena].data();
    of.stage->gradients(own, context);
  }

  /// The thread's part of an array's gradient, from those of dy's values and tangents, and, where
  /// `adds`, of x's tangents.
  void store(const Step<Dual>& step, ThreadContext& context, const Parameter& p, std::size_t place,
             bool adds) {
    const Range mine = context.slice().range(p.size, kernels::kRowAlignment<Dual>);
    const std::int64_t first = values_.parameters.list()[place].offset;
    for (std::int64_t i = first + mine.begin; i < first + mine.end; ++i) {
      const double more = adds ? arenas_[2].data()[i] : 0.0;
      gradient_.data()[i] = {arenas_[0].data()[i], arenas_[1].data()[i] + more};
    }
    store_or_apply_gradient(step, p, mine.begin, gradient_.data() + first + mine.begin,
                            mine.size());
  }

  Parameters<Dual>& parameters_;
  const Parameter* weight_;
  const Parameter* bias_;
  std::int64_t batch_;
  RealConvolution values_;           // of x.v and W.v
  RealConvolution x_tangents_;       // of x.t and W.v, without b
  RealConvolution weight_tangents_;  // of x.v and W.t
  Parts x_, dy_;
  std::array<Buffer<double>, 3> arenas_;  // G(x.v, dy.v), G(x.v, dy.t), G(x.t, dy.v)
  Buffer<Dual> gradient_;
};

template <class L>
void add_dual_convolution(const L& layer, StageFactory<double> factory,
                          const StageContext<Dual>& context, Stages<Dual>& stages) {
  Graph graph;
  graph.add(AnyLayer(layer), graph.input(context.shapes[0]));
  auto stage = std::make_unique<DualConvolutionStage>(graph, layer, factory, context);
  const std::int64_t columns = stage->outputs();
  stages.push_back(std::move(stage));
  append_activation(layer.activation, context, columns, stages);
}

}  // namespace

template <>
void add_convolution(const Layer& layer, const StageContext<Dual>& context, Stages<Dual>& stages) {
  const auto add = [&](const auto& convolution) {
    add_dual_convolution(convolution, add_convolution<double>, context, stages);
  };
  if (const auto* line = dynamic_cast<const Conv1D*>(&layer)) return add(*line);
  if (const auto* image = dynamic_cast<const Conv2D*>(&layer)) return add(*image);
  if (const auto* line = dynamic_cast<const Conv1DTranspose*>(&layer)) return add(*line);
  add(dynamic_cast<const Conv2DTranspose&>(layer));
}

template <>
void add_depthwise_convolution(const Layer& layer, const StageContext<Dual>& context,
                               Stages<Dual>& stages) {
  const auto add = [&](auto convolution) {
    StageContext<Dual> own = context;
    if (convolution.depth_multiplier > 1) {
      const Take repeated = model::repeated_channels(convolution, context.inputs);
      add_take(repeated, context, stages);
      stages.back()->y_positions = context.shapes[0].positions();
      own.shapes = {repeated.output_shape(context.shapes)};
      own.inputs = own.shapes[0].columns();
      convolution.depth_multiplier = 1;
    }
    add_dual_convolution(convolution, add_depthwise_convolution<double>, own, stages);
  };
  if (const auto* line = dynamic_cast<const DepthwiseConv1D*>(&layer)) return add(*line);
  add(dynamic_cast<const DepthwiseConv2D&>(layer));
}

}  // namespace chainrule::engine
