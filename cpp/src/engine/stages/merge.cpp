// SPDX-License-Identifier: Apache-2.0
// Tensors of one shape as one, element by element: Add, Subtract, Multiply, Average, Maximum.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

/// The layers of this kind, and what the kernel makes of them.
struct NamedMerge {
  std::string_view kind;
  kernels::MergeKind merge;
};

constexpr std::array<NamedMerge, 5> kMerges{{
    {"add", kernels::MergeKind::add},
    {"subtract", kernels::MergeKind::subtract},
    {"multiply", kernels::MergeKind::multiply},
    {"average", kernels::MergeKind::average},
    {"maximum", kernels::MergeKind::maximum},
}};

/// Each thread has a list of its rows' addresses in every tensor, on cache lines of its own.
template <class T>
class MergeStage final : public Stage<T>,
                         public Joins<T>,
                         public Infers<T>,
                         public WorksInBlocks<T> {
 public:
  MergeStage(const StageContext<T>& c, const NamedMerge& merge)
      : kernels_(c.kernels),
        merge_(merge),
        columns_(c.inputs),
        count_(static_cast<std::int64_t>(c.shapes.size())),
        pointers_(padded<const T*>(count_)),
        xs_(static_cast<std::size_t>(c.threads * pointers_)),
        dxs_(static_cast<std::size_t>(c.threads * pointers_)) {}

  std::string describe() const override { return std::string(merge_.kind); }
  std::int64_t outputs() const override { return columns_; }
  bool passes_gradient(std::size_t input) const override {
    return merge_.merge == kernels::MergeKind::add ||
           (merge_.merge == kernels::MergeKind::subtract && input == 0);
  }

  bool reads_x_again() const override {
    return merge_.merge == kernels::MergeKind::multiply ||
           merge_.merge == kernels::MergeKind::maximum;
  }
  bool reads_y_again() const override { return false; }

  bool is_sum() const override { return merge_.merge == kernels::MergeKind::add; }

  Cost cost(std::int64_t rows) const override {
    const std::int64_t tensors = (count_ + 1) * (this->dy.data ? 2 : 1);
    return {0.0, static_cast<double>(rows * tensors * columns_) * sizeof(T)};
  }

  // y = x0 + x1 + ..., x0 - x1, x0 x1 ..., their mean or the largest, from the first to the last
  // xs, y: rows x columns
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    kernels_.merge_forward(arguments(rows, context), this->y.row(rows.begin));
  }

  // dx(k) = dy d y / d x(k), of Maximum dy where x(k) is the first of the largest
  // dy, dxs: rows x columns; null where nothing below needs it, or where the plan uses dy itself
  void backward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    T** to_pointers = dxs_.data() + context.slice().index * pointers_;
    std::transform(this->dxs.begin(), this->dxs.end(), to_pointers,
                   [&](const Tensor<T>& to) { return to.data ? to.row(rows.begin) : nullptr; });
    kernels_.merge_backward(arguments(rows, context), this->dy.row(rows.begin), to_pointers);
  }

  // xs, y: rows x columns; y may be the first of xs
  void infer(const InferArgs<T>& p) const noexcept override {
    kernels_.merge_forward({merge_.merge, count_, p.xs, p.rows * p.x_stride}, p.y);
  }

 private:
  kernels::MergeArgs<T> arguments(Range rows, const ThreadContext& context) {
    const T** from_pointers = xs_.data() + context.slice().index * pointers_;
    std::transform(this->xs.begin(), this->xs.end(), from_pointers,
                   [&](const Tensor<T>& from) { return from.row(rows.begin); });
    return {merge_.merge, count_, from_pointers, rows.size() * this->y.stride};
  }

  const kernels::KernelTable<T>& kernels_;
  NamedMerge merge_;
  std::int64_t columns_;
  std::int64_t count_;
  std::int64_t pointers_;  // of each thread
  std::vector<const T*> xs_;
  std::vector<T*> dxs_;
};

}  // namespace

template <class T>
void add_merge(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const auto* const found = std::find_if(
      kMerges.begin(), kMerges.end(), [&](const NamedMerge& m) { return m.kind == layer.kind(); });
  stages.push_back(std::make_unique<MergeStage<T>>(context, *found));
}

CHAINRULE_INSTANTIATE_FACTORY(add_merge)

}  // namespace chainrule::engine
