// SPDX-License-Identifier: Apache-2.0
// y = x * factor, with the factors of dropout_factors.hpp, one for each number or one for all
// positions of a channel.
#include <algorithm>
#include <optional>

#include "chainrule/layers.hpp"
#include "engine/stages/dropout_factors.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

/// Reference: Srivastava et al., "Dropout", JMLR 15, 2014 (inverted: the scaling happens in
/// training). A row of factors is for one position, or per channel for `shared_` of them, all of a
/// row of the batch.
template <class T>
class DropoutStage final : public Stage<T>, public WorksInBlocks<T> {
 public:
  DropoutStage(const StageContext<T>& c, const Dropout& dropout)
      : kernels_(c.kernels),
        random_(c.random),
        columns_(c.inputs),
        shared_(dropout.per_channel ? c.shapes[0].positions() : 1),
        rate_(dropout.rate),
        schedule_(dropout.rate_schedule),
        factors_(c.backward ? c.rows / shared_ * row_stride<T>(c.inputs) : 0) {}

  std::string describe() const override { return "dropout"; }
  std::int64_t outputs() const override { return columns_; }
  bool reads_x_again() const override { return false; }
  bool reads_y_again() const override { return false; }

  // y = x factors
  // x, y: rows x columns, factors_: (rows / shared_) x columns, which are kept for the backward
  // pass. A rate of 0 draws none.
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    const std::int64_t size = rows.size() * this->x.stride;
    const double rate = rate_in(step);
    if (rate == 0.0) {
      std::copy_n(this->x.row(rows.begin), size, this->y.row(rows.begin));
      return;
    }
    dropout_factors(kernels_, step, random_, rate, {rows.begin / shared_, rows.end / shared_},
                    columns_, factors_.data(), this->x.stride);
    multiply(this->x, rows, this->y);
  }

  // dx = dy factors
  // dy, dx: rows x columns, factors_: (rows / shared_) x columns
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, context.slice());
    const std::int64_t size = rows.size() * this->x.stride;
    if (rate_in(step) > 0.0) {
      multiply(this->dy, rows, this->dx);
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

  // from, to: rows x columns; to = from factors
  void multiply(const Tensor<T>& from, Range rows, const Tensor<T>& to) const {
    const std::int64_t stride = from.stride;
    if (shared_ == 1) {
      kernels_.multiply(from.row(rows.begin), factors_.data() + rows.begin * stride,
                        to.row(rows.begin), rows.size() * stride);
      return;
    }
    for (std::int64_t row = rows.begin; row < rows.end; ++row)
      kernels_.multiply(from.row(row), factors_.data() + row / shared_ * stride, to.row(row),
                        stride);
  }

  const kernels::KernelTable<T>& kernels_;
  RandomPlace random_;
  std::int64_t columns_;
  std::int64_t shared_;
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
