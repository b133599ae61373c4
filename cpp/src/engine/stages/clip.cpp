// SPDX-License-Identifier: Apache-2.0
// y = min(max(x, low), high); dx = dy where x lies in [low, high], else 0.
#include <limits>

#include "chainrule/layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

/// An entry for itself. A limit that is not given is infinite, so the kernels have no other form.
template <class T>
class ClipStage final : public Stage<T>, public Infers<T> {
 public:
  ClipStage(const StageContext<T>& c, const Clip& clip)
      : kernels_(c.kernels),
        columns_(c.inputs),
        low_(static_cast<T>(clip.min_value.value_or(-std::numeric_limits<double>::infinity()))),
        high_(static_cast<T>(clip.max_value.value_or(std::numeric_limits<double>::infinity()))) {}

  std::string describe() const override { return "clip"; }
  std::int64_t outputs() const override { return columns_; }

  // y = min(max(x, low), high)
  // x, y: rows x columns, with their padding in one run
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    kernels_.clip(low_, high_, this->x.row(rows.begin), this->y.row(rows.begin),
                  rows.size() * this->x.stride);
  }

  // dx = dy where low <= x <= high, else 0
  // x, dy, dx: rows x columns
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, context.slice());
    kernels_.clip_backward(low_, high_, this->x.row(rows.begin), this->dy.row(rows.begin),
                           this->dx.row(rows.begin), rows.size() * this->x.stride);
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    kernels_.clip(low_, high_, p.x, p.y, p.rows * p.x_stride);
  }

 private:
  const kernels::KernelTable<T>& kernels_;
  std::int64_t columns_;
  T low_;
  T high_;
};

}  // namespace

template <class T>
void add_clip(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  stages.push_back(std::make_unique<ClipStage<T>>(context, dynamic_cast<const Clip&>(layer)));
}

CHAINRULE_INSTANTIATE_FACTORY(add_clip)

}  // namespace chainrule::engine
