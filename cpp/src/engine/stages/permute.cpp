// SPDX-License-Identifier: Apache-2.0
// The axes of each row of the batch in another order: rows that are copied, where the last axis
// stays the last, and matrices that are transposed elsewhere.
#include <algorithm>

#include "chainrule/shape_layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

using Extents = std::vector<std::int64_t>;

/// The distances in memory between neighbours along each axis of a row of the batch.
template <class T>
Extents steps_of(const Extents& extents) {
  Extents steps(extents.size(), 1);
  std::int64_t step = row_stride<T>(extents.back());
  for (std::size_t axis = extents.size() - 1; axis-- > 0;) {
    steps[axis] = step;
    step *= extents[axis];
  }
  return steps;
}

/// Where the numbers of a permuted tensor come from, worked out beforehand.
template <class T>
class Permutation {
 public:
  /// axes[i] is the axis of x, from 0, that becomes axis i of y.
  /// axes[i] is the axis of x, from 0, that becomes axis i of y. Axes but the two that lie along
  /// rows and columns of a block are counted through by `block`, the last one fastest, and give
  /// where the block begins on either side.
  Permutation(const Shape& x, const std::vector<std::size_t>& axes) {
    const std::size_t last = axes.size() - 1;
    Extents y_extents;
    for (const std::size_t axis : axes) y_extents.push_back(x.extents()[axis]);
    const Extents x_steps = steps_of<T>(x.extents());
    const Extents y_steps = steps_of<T>(y_extents);
    // The axis of y that was x's last one lies along the rows of a block.
    const auto along =
        static_cast<std::size_t>(std::find(axes.begin(), axes.end(), last) - axes.begin());
    const bool transposes = along != last;
    std::int64_t blocks = 1;
    for (std::size_t i = 0; i < last; ++i) blocks *= transposes && i == along ? 1 : y_extents[i];
    for (std::int64_t block = 0; block < blocks; ++block) {
      std::int64_t rest = block;
      std::int64_t from = 0;
      std::int64_t to = 0;
      for (std::size_t i = last; i-- > 0;) {
        if (transposes && i == along) continue;
        const std::int64_t at = rest % y_extents[i];
        rest /= y_extents[i];
        from += at * x_steps[axes[i]];
        to += at * y_steps[i];
      }
      x_offsets_.push_back(from);
      y_offsets_.push_back(to);
    }
    const Shape y(y_extents);
    shape_ = {.transposes = transposes,
              .blocks = blocks,
              .x_offsets = x_offsets_.data(),
              .y_offsets = y_offsets_.data(),
              .x_columns = x.columns(),
              .x_step = x_steps[axes[last]],
              .y_columns = y.columns(),
              .y_step = y_steps[along],
              .x_row = x.positions() * row_stride<T>(x.columns()),
              .y_row = y.positions() * row_stride<T>(y.columns()),
              .y_stride = row_stride<T>(y.columns())};
  }
  Permutation(const Permutation&) = delete;
  Permutation& operator=(const Permutation&) = delete;

  const kernels::PermuteShape& shape() const { return shape_; }

 private:
  Extents x_offsets_;
  Extents y_offsets_;
  kernels::PermuteShape shape_;
};

/// The permutation that takes y's axes back to x's.
std::vector<std::size_t> inverse(const std::vector<std::size_t>& axes) {
  std::vector<std::size_t> result(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) result[axes[i]] = i;
  return result;
}

/// y is x with its axes in another order; dx is dy with the inverse order. Each thread moves its
/// rows of the batch as a whole, so no barrier is needed.
template <class T>
class PermuteStage final : public Stage<T>, public Infers<T> {
 public:
  PermuteStage(const StageContext<T>& c, const std::vector<std::size_t>& axes, const Shape& to)
      : kernels_(c.kernels),
        positions_(c.shapes[0].positions()),
        columns_(to.columns()),
        forward_(c.shapes[0], axes),
        backward_(to, inverse(axes)) {}

  std::string describe() const override { return "permute"; }
  std::int64_t outputs() const override { return columns_; }

  Cost cost(std::int64_t rows) const override {
    const std::int64_t passes = this->dx.data ? 4 : 2;
    return {0.0, static_cast<double>(rows * passes * columns_) * sizeof(T)};
  }

  // y(r, i0, i1, ...) = x(r, j0, j1, ...), where j at axis axes[k] is i at axis k
  // x: (rows positions) x columns of x, y: (rows positions of y) x columns of y
  void forward(const Step<T>& step, ThreadContext& context) override {
    permute(forward_, step.rows_of(context.slice()), this->x, this->y);
  }

  // dx = dy in the inverse order. dy: as y, dx: as x
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (this->dx.data) permute(backward_, step.rows_of(context.slice()), this->dy, this->dx);
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    kernels_.permute(forward_.shape(), p.rows / positions_, p.x, p.y);
  }
  bool infers_in_place() const override { return false; }

 private:
  void permute(const Permutation<T>& permutation, Range rows, const Tensor<T>& from,
               const Tensor<T>& to) const {
    kernels_.permute(permutation.shape(), rows.size(), from.row(rows.begin * from.positions),
                     to.row(rows.begin * to.positions));
  }

  const kernels::KernelTable<T>& kernels_;
  std::int64_t positions_;  // of x
  std::int64_t columns_;
  Permutation<T> forward_;
  Permutation<T> backward_;
};

}  // namespace

template <class T>
void add_permute(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const auto& permute = dynamic_cast<const Permute&>(layer);
  std::vector<std::size_t> axes;
  for (const std::int64_t dim : permute.dims) axes.push_back(static_cast<std::size_t>(dim) - 1);
  if (std::is_sorted(axes.begin(), axes.end())) return;
  stages.push_back(
      std::make_unique<PermuteStage<T>>(context, axes, permute.output_shape(context.shapes)));
}

CHAINRULE_INSTANTIATE_FACTORY(add_permute)

}  // namespace chainrule::engine
