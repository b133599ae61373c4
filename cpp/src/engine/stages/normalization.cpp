// SPDX-License-Identifier: Apache-2.0
// y = (x - mean) / sqrt(variance), or (x - center) / scale, or the inverse, as the scale and offset
// of an AffineStage, through which NaN passes. Where the mean is large beside the deviation, float
// has not the digits for x * scale + offset, and the column is worked out in double from x - mean
// (WideColumn). Behind it, where options ask for it, a LimitStage: the smooth clip, 0 for NaN, and
// columns that say where there was one.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "chainrule/layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/affine.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

/// y = [smooth clip of x, with 0 for NaN | 1 where x is NaN, else 0, of columns with an indicator]
template <class T>
class LimitStage final : public Stage<T>, public Infers<T> {
 public:
  LimitStage(const StageContext<T>& c, const Normalization& described)
      : kernels_(c.kernels),
        columns_(c.inputs),
        indicators_(described.indicators(c.inputs)),
        rate_(padded<T>(c.inputs)),
        fill_(padded<T>(c.inputs)) {
    const std::vector<bool> chosen = described.normalized(c.inputs);
    const bool fills = described.missing != Normalization::Missing::error;
    for (std::size_t j = 0; j < chosen.size(); ++j) {
      if (chosen[j] && described.clip) rate_.data()[j] = static_cast<T>(1.0 / *described.clip);
      if (!chosen[j] || !fills)
        fill_.data()[j] = static_cast<T>(std::numeric_limits<double>::quiet_NaN());
    }
  }

  std::string describe() const override { return "limit"; }
  std::int64_t outputs() const override {
    return columns_ + static_cast<std::int64_t>(indicators_.size());
  }

  // y = [x / sqrt(1 + (x rate)^2), or fill where x is NaN | 1 where x is NaN, else 0]
  // x: rows x columns, y: rows x (columns + indicators), rate_, fill_: columns
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    limit(this->x.row(rows.begin), this->x.stride, this->y.row(rows.begin), this->y.stride,
          rows.size());
  }

  // dx = dy / sqrt(1 + (x rate)^2)^3, and 0 where x is NaN
  // x, dx: rows x columns, dy: rows x (columns + indicators), of which the latter pass nothing
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, context.slice());
    kernels_.smooth_clip_backward({rows.size(), columns_, rate_.data(), this->x.row(rows.begin),
                                   this->dx.row(rows.begin), this->x.stride,
                                   this->dy.row(rows.begin), this->dy.stride});
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    limit(p.x, p.x_stride, p.y, p.y_stride, p.rows);
  }
  bool infers_in_place() const override { return indicators_.empty(); }

 private:
  /// The kernel works on whole vectors, so what it leaves behind the last column is cleared before
  /// indicators are set there.
  void limit(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride,
             std::int64_t rows) const {
    kernels_.smooth_clip(
        {rows, columns_, rate_.data(), fill_.data(), from, from_stride, to, to_stride});
    if (indicators_.empty()) return;
    for (std::int64_t i = 0; i < rows; ++i, from += from_stride, to += to_stride) {
      std::fill(to + columns_, to + padded<T>(outputs()), T(0));
      T* indicator = to + columns_;
      for (const std::int64_t column : indicators_) {
        if (std::isnan(static_cast<double>(from[column]))) *indicator = T(1);
        ++indicator;
      }
    }
  }

  const kernels::KernelTable<T>& kernels_;
  std::int64_t columns_;
  std::vector<std::int64_t> indicators_;
  Buffer<T> rate_;  // columns, as of the next
  Buffer<T> fill_;
};

}  // namespace

/// Scale and offset are worked out from the parameters before each run, in double, so that they are
/// those of an adaptation or a set_parameter since the last one.
template <class T>
void add_normalization(const Layer& described, const StageContext<T>& context, Stages<T>& stages) {
  const auto& layer = dynamic_cast<const Normalization&>(described);
  const bool robust = layer.method == Normalization::Method::robust;
  Parameters<T>* parameters = &context.parameters;
  const Parameter* mean = parameters->find(context.owner, robust ? "center" : "mean");
  const Parameter* spread = parameters->find(context.owner, robust ? "scale" : "variance");
  const std::int64_t columns = context.inputs;
  // What x - mean is divided by; 0: nothing is left of it.
  const auto divisor = [robust](T v) {
    // A feature that never varies is only centred; by the robust method it is 0.
    if (!(v > T(0))) return robust ? 0.0 : 1.0;
    return robust ? static_cast<double>(v) : std::sqrt(static_cast<double>(v));
  };
  const auto factor = [divisor](T v) {
    const double d = divisor(v);
    return d > 0.0 ? 1.0 / d : 0.0;
  };
  const bool invert = layer.invert;
  const auto fill = [=](T* scale, T* offset) {
    const T* m = parameters->at(mean);
    const T* v = parameters->at(spread);
    for (std::int64_t j = 0; j < columns; ++j) {
      const double s = invert ? divisor(v[j]) : factor(v[j]);
      scale[j] = static_cast<T>(s);
      offset[j] = invert ? m[j] : static_cast<T>(-static_cast<double>(m[j]) * s);
    }
  };
  const auto fill_wide = [=](const T* offset, auto& wide) {
    if (invert) return;
    const T* m = parameters->at(mean);
    const T* v = parameters->at(spread);
    const std::vector<double>& exact = parameters->exact_mean();
    const bool known = mean->layer == 0 && !exact.empty();
    for (std::int64_t j = 0; j < columns; ++j) {
      if (!AffineStage<T>::is_wide(static_cast<double>(offset[j]))) continue;
      const double centre = known ? exact[static_cast<std::size_t>(j)] : static_cast<double>(m[j]);
      wide.push_back({j, centre, factor(v[j])});
    }
  };
  stages.push_back(
      std::make_unique<AffineStage<T>>(context.kernels, "normalization", columns, fill, fill_wide));
  if (layer.clip || layer.missing != Normalization::Missing::error)
    stages.push_back(std::make_unique<LimitStage<T>>(context, layer));
}

CHAINRULE_INSTANTIATE_FACTORY(add_normalization)

}  // namespace chainrule::engine
