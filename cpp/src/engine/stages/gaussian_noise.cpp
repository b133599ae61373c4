// SPDX-License-Identifier: Apache-2.0
// y = x + stddev * n, where n depends on the seed, the layer, the step, the row in the batch and
// the column alone, so threads draw the same numbers however they share the rows out.
#include "chainrule/layers.hpp"
#include "chainrule/random.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

template <class T>
class GaussianNoiseStage final : public Stage<T> {
 public:
  GaussianNoiseStage(const StageContext<T>& c, double stddev)
      : kernels_(c.kernels), random_(c.random), columns_(c.inputs), stddev_(stddev) {}

  std::string describe() const override { return "gaussian_noise"; }
  std::int64_t outputs() const override { return columns_; }

  // y = x + stddev n, or y = x where no noise is drawn
  // x, y: rows x columns. The stream of random words is the layer's and the step's, the place in it
  // that of (row, column).
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    if (!step.training || stddev_ == 0.0) {
      std::copy_n(this->x.row(rows.begin), rows.size() * this->x.stride, this->y.row(rows.begin));
      return;
    }
    kernels_.gaussian_noise(
        {step.seed + random_.offset, static_cast<std::uint32_t>(RandomUse::noise),
         random_.number << 48 | step.number, rows.begin, rows.end, columns_},
        stddev_, this->x.data, this->y.data, this->x.stride);
  }

  // dx = dy, since the noise does not depend on x
  // dy, dx: rows x columns
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, context.slice());
    std::copy_n(this->dy.row(rows.begin), rows.size() * this->x.stride, this->dx.row(rows.begin));
  }

 private:
  const kernels::KernelTable<T>& kernels_;
  RandomPlace random_;
  std::int64_t columns_;
  double stddev_;
};

}  // namespace

template <class T>
void add_gaussian_noise(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  if (!context.backward) return;  // predictions take the rows as they are
  const double stddev = dynamic_cast<const GaussianNoise&>(layer).stddev;
  stages.push_back(std::make_unique<GaussianNoiseStage<T>>(context, stddev));
}

CHAINRULE_INSTANTIATE_FACTORY(add_gaussian_noise)

}  // namespace chainrule::engine
