// SPDX-License-Identifier: Apache-2.0
// y = x * factor, with the factors of dropout_factors.hpp.
#include <algorithm>
#include <optional>

#include "chainrule/layers.hpp"
#include "engine/stages/dropout_factors.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

/// Reference: Srivastava et al., "Dropout", JMLR 15, 2014 (inverted: the scaling happens in
/// training).
template <class T>
class DropoutStage final : public Stage<T> {
 public:
  DropoutStage(const StageContext<T>& c, const Dropout& dropout)
      : kernels_(c.kernels),
        random_(c.random),
        columns_(c.inputs),
        rate_(dropout.rate),
        schedule_(dropout.rate_schedule),
        factors_(c.backward ? c.rows * row_stride<T>(c.inputs) : 0) {}

  std::string describe() const override { return "dropout"; }
  std::int64_t outputs() const override { return columns_; }

  // y = x factors
  // x, factors_, y: rows x columns. The factors are kept for the backward pass; a rate of 0 draws
  // none.
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    const std::int64_t size = rows.size() * this->x.stride;
    const double rate = rate_in(step);
    if (rate == 0.0) {
      std::copy_n(this->x.row(rows.begin), size, this->y.row(rows.begin));
      return;
    }
    dropout_factors(kernels_, step, random_, rate, rows, columns_, factors_.data(), this->x.stride);
    kernels_.multiply(this->x.row(rows.begin), factors(rows), this->y.row(rows.begin), size);
  }

  // dx = dy factors
  // dy, factors_, dx: rows x columns
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, context.slice());
    const std::int64_t size = rows.size() * this->x.stride;
    if (rate_in(step) > 0.0) {
      kernels_.multiply(this->dy.row(rows.begin), factors(rows), this->dx.row(rows.begin), size);
    } else {
      std::copy_n(this->dy.row(rows.begin), size, this->dx.row(rows.begin));
    }
  }

 private:
  /// The rate of a step: 0 but in training, and no more than the layer's whatever the schedule
  /// gives.
  double rate_in(const Step<T>& step) const {
    if (!step.training) return 0.0;
    if (!schedule_) return rate_;
    return rate_ * std::min(1.0, schedule_->rate(step.schedule_step, step.steps_per_epoch));
  }
  T* factors(Range rows) { return factors_.data() + rows.begin * this->x.stride; }

  const kernels::KernelTable<T>& kernels_;
  RandomPlace random_;
  std::int64_t columns_;
  double rate_;
  std::optional<Schedule> schedule_;
  Buffer<T> factors_;
};

}  // namespace

template <class T>
void add_dropout(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  if (!context.backward) return;  // predictions take the rows as they are
  stages.push_back(std::make_unique<DropoutStage<T>>(context, dynamic_cast<const Dropout&>(layer)));
}

CHAINRULE_INSTANTIATE_FACTORY(add_dropout)

}  // namespace chainrule::engine
