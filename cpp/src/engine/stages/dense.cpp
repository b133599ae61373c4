// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

/// Rows of W whose gradient is worked out at a time: a piece that stays in the first-level cache
/// until it is used.
constexpr std::int64_t kChunk = 48;

template <class T>
class DenseStage final : public Stage<T> {
 public:
  DenseStage(const StageContext<T>& c)
      : kernels_(c.kernels),
        parameters_(c.parameters),
        weight_(c.parameters.find(c.layer, "weight")),
        bias_(c.parameters.find(c.layer, "bias")),
        inputs_(c.inputs),
        units_(weight_->spec.columns),
        panels_((units_ + c.kernels.panel - 1) / c.kernels.panel),
        // Few rows and many columns: more threads find work when they share the columns.
        split_(c.batch_size < kernels::kGranule<T> * c.threads && panels_ >= c.threads
                   ? Split::columns
                   : Split::rows),
        dy_panels_(c.backward ? padded<T>(c.batch_size) * units_ : 0),
        scratch_stride_(kChunk * c.kernels.panel),
        scratch_(c.backward ? scratch_stride_ * c.threads : 0),
        bias_gradient_(c.backward ? padded<T>(units_) : 0) {}

  std::string describe() const override {
    return "dense " + std::to_string(inputs_) + " -> " + std::to_string(units_);
  }
  Split split() const override { return split_; }
  Split backward_split() const override { return Split::rows; }
  std::int64_t outputs() const override { return units_; }
  bool has_parameters() const override { return true; }

  void forward(const Step<T>& step, Share share) override {
    const Range rows = split_ == Split::rows ? step.rows_of(share) : Range{0, step.rows};
    const Range panels = split_ == Split::rows ? Range{0, panels_} : share.of(panels_);
    kernels_.forward({weight_->shape, parameters_.at(weight_), parameters_.at(bias_), this->x.data,
                      this->x.stride, this->y.data, this->y.stride, rows.begin, rows.end,
                      panels.begin, panels.end});
  }

  void backward(const Step<T>& step, Share share) override {
    if (!this->dx.data) return;
    const Range rows = step.rows_of(share);
    if (rows.size() == 0) return;
    // Each thread turns its own rows, padded to whole granules, into its own part of the scratch.
    T* panels = dy_panels_.data() + padded<T>(rows.begin) * units_;
    kernels_.transpose(this->dy.row(rows.begin), this->dy.stride, rows.size(), units_, panels);
    kernels_.input_gradient({weight_->shape, parameters_.at(weight_), panels, rows.size(),
                             this->dx.row(rows.begin), this->dx.stride});
  }

  void gradients(const Step<T>& step, Share share) override {
    const std::int64_t chunks = (inputs_ + kChunk - 1) / kChunk;
    const Range items = share.of(panels_ * chunks);
    for (std::int64_t item = items.begin; item < items.end; ++item) {
      weight_gradient(step, share, item / chunks, item % chunks * kChunk);
    }
    if (!bias_) return;
    const Range columns = share.of(padded<T>(units_), kernels::kGranule<T>);
    if (columns.size() == 0) return;
    kernels_.column_sums(this->dy.data, this->dy.stride, step.rows, columns.begin, columns.end,
                         bias_gradient_.data());
    deliver(step, *bias_, columns.begin, bias_gradient_.data() + columns.begin, columns.size());
  }

 private:
  void weight_gradient(const Step<T>& step, Share share, std::int64_t panel,
                       std::int64_t first_input) {
    const std::int64_t end = std::min(inputs_, first_input + kChunk);
    const std::int64_t width =
        std::min(weight_->shape.panel, padded<T>(units_ - panel * weight_->shape.panel));
    const std::int64_t at = panel * weight_->shape.panel * inputs_ + first_input * width;
    T* g = step.gradients ? step.gradients + weight_->offset + at
                          : scratch_.data() + scratch_stride_ * share.index;
    kernels_.weight_gradient({weight_->shape, panel, first_input, end, step.rows, this->x.data,
                              this->x.stride, this->dy.data, this->dy.stride, g});
    if (step.update) step.update->apply(*weight_, at, g, (end - first_input) * width);
  }

  const kernels::KernelTable<T>& kernels_;
  Parameters<T>& parameters_;
  const Parameter* weight_;
  const Parameter* bias_;
  std::int64_t inputs_;
  std::int64_t units_;
  std::int64_t panels_;
  Split split_;
  Buffer<T> dy_panels_;
  std::int64_t scratch_stride_;
  Buffer<T> scratch_;
  Buffer<T> bias_gradient_;
};

}  // namespace

template <class T>
void add_dense(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const auto& dense = dynamic_cast<const Dense&>(layer);
  stages.push_back(std::make_unique<DenseStage<T>>(context));
  append_activation(dense.activation, context, dense.units, stages);
}

template void add_dense(const Layer&, const StageContext<float>&, Stages<float>&);
template void add_dense(const Layer&, const StageContext<double>&, Stages<double>&);

}  // namespace chainrule::engine
