// SPDX-License-Identifier: Apache-2.0
// A dense layer of dual numbers by the products of real ones. With values v and tangents t, and
// with | for what stands side by side and ; for one upon the other:
//
//   y.v = x.v W.v + b.v                 y.t = [x.v | x.t] [W.t ; W.v] + b.t
//   dx.v = dy.v W.v^T                   dx.t = [dy.t | dy.v] [W.v^T ; W.t^T]
//   dW.v = x.v^T dy.v                   dW.t = [x.v ; x.t]^T [dy.t ; dy.v]
//
// so that each tangent is one product with twice the terms. The values' bits are those of the real
// layer. A row of x keeps its two parts side by side, one of dy likewise, and dW reads them as two
// rows: what is side by side in one product stands one upon the other in the next.
#include "chainrule/layers.hpp"
#include "engine/stages/stages.hpp"
#include "kernels/dispatch.hpp"
#include "kernels/dual.hpp"

namespace chainrule::engine {
namespace {

using kernels::Dual;

class DualDenseStage final : public Stage<Dual> {
 public:
  explicit DualDenseStage(const StageContext<Dual>& c)
      : kernels_(c.kernels),
        real_(kernels::active<double>()),
        parameters_(c.parameters),
        weight_(c.parameters.find(c.owner, "weight")),
        bias_(c.parameters.find(c.owner, "bias")),
        inputs_(c.inputs),
        units_(weight_->shape.columns),
        x_parts_(c.rows, inputs_),
        dy_parts_(c.rows, units_),
        forward_(inputs_, units_, real_.panel),
        backward_(units_, inputs_, real_.panel),
        bias_values_(padded<double>(units_)),
        bias_tangents_(padded<double>(units_)),
        bias_gradient_(padded<Dual>(units_)),
        results_stride_(std::max(padded<double>(inputs_), padded<double>(units_))),
        results_(2 * c.rows * results_stride_),
        pieces_(2 * inputs_ * real_.panel * c.threads),
        gradient_(inputs_ * real_.panel * c.threads) {}

  std::string describe() const override { return "dense"; }
  std::int64_t outputs() const override { return units_; }
  bool has_parameters() const override { return true; }

  /// Copies the parameters' values and tangents into the panels of both products: [W.t ; W.v]
  /// forward, [W.v^T ; W.t^T] backward.
  void refresh() override {
    const kernels::PanelShape& s = weight_->shape;
    const Dual* weight = parameters_.at(weight_);
    for (std::int64_t unit = 0; unit < units_; ++unit) {
      const std::int64_t panel = unit / s.panel;
      const Dual* column = weight + s.offset(panel) + unit % s.panel;
      for (std::int64_t input = 0; input < inputs_; ++input) {
        const Dual w = column[input * s.width(panel)];
        forward_.set(input, unit, w.value, w.tangent, w.value);
        backward_.set(unit, input, w.value, w.value, w.tangent);
      }
    }
    if (!bias_) return;
    for (std::int64_t unit = 0; unit < units_; ++unit) {
      bias_values_.data()[unit] = parameters_.at(bias_)[unit].value;
      bias_tangents_.data()[unit] = parameters_.at(bias_)[unit].tangent;
    }
  }

  // y = x W + b, (rows x inputs) -> (rows x units); a row of x_parts_ becomes [x.v | x.t]
  void forward(const Step<Dual>& step, ThreadContext& context) override {
    const Range rows = rows_of(step, context.slice());
    x_parts_.fill(x, rows, &Dual::value, &Dual::tangent);
    multiply(forward_, x_parts_, 0, rows, bias_ ? bias_values_.data() : nullptr,
             bias_ ? bias_tangents_.data() : nullptr, y);
  }

  // dx = dy W^T, (rows x units) -> (rows x inputs); a row of dy_parts_ becomes [dy.t | dy.v], which
  // the gradients need even where there is no dx
  void backward(const Step<Dual>& step, ThreadContext& context) override {
    const Range rows = rows_of(step, context.slice());
    dy_parts_.fill(dy, rows, &Dual::tangent, &Dual::value);
    if (dx.data) multiply(backward_, dy_parts_, dy_parts_.width, rows, nullptr, nullptr, dx);
  }

  // dW = x^T dy, (inputs x units), g: inputs x panel for each panel; db = sum over the rows of dy
  void gradients(const Step<Dual>& step, ThreadContext& context) override {
    const ThreadSlice slice = context.slice();
    const kernels::PanelShape& s = weight_->shape;
    const Range panels = slice.range(s.panels());
    double* values = pieces_.data() + 2 * inputs_ * real_.panel * slice.index;
    double* tangents = values + inputs_ * real_.panel;
    Dual* g = gradient_.data() + inputs_ * real_.panel * slice.index;
    const std::int64_t all = this->rows(step);
    for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
      // Each row's values alone, by strides over the tangents, and then both.
      real_.weight_gradient({s, panel, 0, inputs_, all, x_parts_.data(), 2 * x_parts_.width,
                             dy_parts_.data() + dy_parts_.width, 2 * dy_parts_.width, values, all,
                             nullptr});
      real_.weight_gradient({s, panel, 0, inputs_, 2 * all, x_parts_.data(), x_parts_.width,
                             dy_parts_.data(), dy_parts_.width, tangents, 2 * all, nullptr});
      const std::int64_t size = inputs_ * s.width(panel);
      for (std::int64_t i = 0; i < size; ++i) g[i] = {values[i], tangents[i]};
      store_or_apply_gradient(step, *weight_, s.offset(panel), g, size);
    }
    if (!bias_) return;
    const Range columns = slice.range(padded<Dual>(units_), kernels::kRowAlignment<Dual>);
    if (columns.size() == 0) return;
    kernels_.column_sums(dy.data, dy.stride, all, columns.begin, columns.end, bias_gradient_.data(),
                         false);
    store_or_apply_gradient(step, *bias_, columns.begin, bias_gradient_.data() + columns.begin,
                            columns.size());
  }

 private:
  /// Rows of two parts, each padded with zeros to `width`.
  struct Parts {
    Parts(std::int64_t rows, std::int64_t columns_)
        : columns(columns_), width(padded<double>(columns_)), numbers(2 * rows * width) {}

    double* data() { return numbers.data(); }
    void fill(const Tensor<Dual>& from, Range rows, double Dual::* first, double Dual::* second) {
      for (std::int64_t i = rows.begin; i < rows.end; ++i) {
        double* to = data() + 2 * i * width;
        for (std::int64_t j = 0; j < columns; ++j) {
          to[j] = from.row(i)[j].*first;
          to[width + j] = from.row(i)[j].*second;
        }
      }
    }

    std::int64_t columns;
    std::int64_t width;
    Buffer<double> numbers;
  };

  /// A matrix as panels: its values, and two matrices of its shape one upon the other, each padded
  /// with zeros to the width of the parts that it is multiplied with.
  struct Factors {
    Factors(std::int64_t rows, std::int64_t columns, std::int64_t panel)
        : height(padded<double>(rows)),
          single{rows, columns, panel, kernels::kRowAlignment<double>},
          both{2 * height, columns, panel, kernels::kRowAlignment<double>},
          values(rows * padded<double>(columns)),
          stacked(2 * height * padded<double>(columns)) {}

    void set(std::int64_t row, std::int64_t column, double value, double upper, double lower) {
      place(single, values, row, column) = value;
      place(both, stacked, row, column) = upper;
      place(both, stacked, height + row, column) = lower;
    }
    static double& place(const kernels::PanelShape& s, Buffer<double>& in, std::int64_t row,
                         std::int64_t column) {
      return in.data()[s.index(row, column)];
    }

    std::int64_t height;
    kernels::PanelShape single;
    kernels::PanelShape both;
    Buffer<double> values;
    Buffer<double> stacked;
  };

  /// to = parts times factors, plus biases: the values from the part that begins at `value_part`.
  // parts: rows x two parts, to: rows x columns
  void multiply(const Factors& factors, Parts& parts, std::int64_t value_part, Range rows,
                const double* values_bias, const double* tangents_bias, const Tensor<Dual>& to) {
    // One for both passes, since another thread may still be in the other one.
    const std::int64_t stride = results_stride_;
    double* values = results_.data();
    double* tangents = values + results_.size() / 2;
    const std::int64_t panels = factors.single.panels();
    real_.forward({factors.single, factors.values.data(), values_bias, parts.data() + value_part,
                   2 * parts.width, values, stride, rows.begin, rows.end, 0, panels,
                   factors.single.rows});
    real_.forward({factors.both, factors.stacked.data(), tangents_bias, parts.data(),
                   2 * parts.width, tangents, stride, rows.begin, rows.end, 0, panels,
                   factors.both.rows});
    for (std::int64_t i = rows.begin; i < rows.end; ++i) {
      for (std::int64_t j = 0; j < to.columns; ++j)
        to.row(i)[j] = {values[i * stride + j], tangents[i * stride + j]};
    }
  }

  const kernels::KernelTable<Dual>& kernels_;
  const kernels::KernelTable<double>& real_;
  Parameters<Dual>& parameters_;
  const Parameter* weight_;
  const Parameter* bias_;
  std::int64_t inputs_;
  std::int64_t units_;
  Parts x_parts_;
  Parts dy_parts_;
  Factors forward_;
  Factors backward_;
  Buffer<double> bias_values_;
  Buffer<double> bias_tangents_;
  Buffer<Dual> bias_gradient_;
  std::int64_t results_stride_;
  Buffer<double> results_;  // of a product: values, and behind them tangents
  Buffer<double> pieces_;   // of the weights' gradients, for each thread
  Buffer<Dual> gradient_;   // a panel of them, for each thread
};

}  // namespace

template <>
void add_dense(const Layer& layer, const StageContext<kernels::Dual>& context,
               Stages<kernels::Dual>& stages) {
  const auto& dense = dynamic_cast<const Dense&>(layer);
  stages.push_back(std::make_unique<DualDenseStage>(context));
  append_activation(dense.activation, context, dense.units, stages);
}

}  // namespace chainrule::engine
