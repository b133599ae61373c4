// SPDX-License-Identifier: Apache-2.0
// Rows go from op to op between two buffers, both of (rows x widest layer): an op in place leaves
// them where they are, and any other reads one and writes the other.
#include "engine/inference/inference_plan.hpp"

#include <algorithm>
#include <utility>

#include "engine/stages/activation.hpp"

namespace chainrule::engine {

template <class T>
InferencePlan<T>::InferencePlan(const kernels::KernelTable<T>& kernels,
                                const std::vector<AnyLayer>& layers, std::int64_t inputs)
    : kernels_(kernels),
      parameters_(layers, inputs, kernels.panel),
      inputs_(inputs),
      widest_(inputs) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const StageContext<T> context{.kernels = kernels,
                                  .parameters = parameters_,
                                  .layer = static_cast<std::int64_t>(i),
                                  .inputs = inputs,
                                  .batch_size = 1,
                                  .threads = 1,
                                  .backward = false};
    add_stages(*layers[i], context, stages_);
    inputs = layers[i]->outputs(inputs);
    widest_ = std::max(widest_, inputs);
  }
  if (stages_.empty()) return;
  for (const auto& stage : stages_) {
    if (auto* affine = dynamic_cast<AffineStage<T>*>(stage.get())) affine_.push_back(affine);
  }
  fused_input_ = dynamic_cast<AffineStage<T>*>(stages_.front().get());
  const auto activation_at = [&](std::size_t i) -> const Activation* {
    if (i >= stages_.size()) return nullptr;
    const auto* stage = dynamic_cast<const ActivationStage<T>*>(stages_[i].get());
    return stage ? &stage->activation() : nullptr;
  };
  // Inputs are data, zero or not, and behind a relu about half of them are; of a few there is
  // little to leave out.
  constexpr std::int64_t few = 16;
  bool zeros = inputs_ > few;
  for (std::size_t i = fused_input_ ? 1 : 0; i < stages_.size(); ++i) {
    const Stage<T>& stage = *stages_[i];
    const auto& infers = dynamic_cast<const Infers<T>&>(stage);
    auto* product = dynamic_cast<InfersProduct<T>*>(stages_[i].get());
    if (const Activation* next = activation_at(i + 1); next && product) {
      product->fuse_activation(*next);
      ++i;
    }
    ops_.push_back({&infers, infers.infers_in_place(), zeros, product != nullptr,
                    product ? product->row_product() : kernels::RowArgs<T>{}});
    const Activation* activation = activation_at(i);
    last_activation_ = activation ? activation->kind : Activation::Kind::linear;
    const bool many_zeros = last_activation_ == Activation::Kind::relu || infers.infers_zeros();
    zeros = many_zeros && stage.outputs() > few;
  }
}

template <class T>
void InferencePlan<T>::copy_from(const Buffer<T>& values) {
  parameters_.values.copy_from(values);
  for (AffineStage<T>* affine : affine_) affine->refresh();
}

template <class T>
InferWorkspace<T> InferencePlan<T>::buffers(std::int64_t rows) const {
  check_table_size(rows, widest_);
  std::int64_t scratch = 0;
  for (const InferOp& op : ops_) scratch = std::max(scratch, op.stage->infer_scratch_bytes(rows));
  return {rows, widest_, scratch};
}

template <class T>
T* InferencePlan<T>::run(const T* in, std::int64_t in_stride, std::int64_t rows,
                         InferWorkspace<T>& buffers) const noexcept {
  T* x = buffers.first.data();
  T* y = buffers.second.data();
  const bool padding_unread = !ops_.empty() && ops_.front().is_product && !ops_.front().zeros;
  if (rows == 1 && !fused_input_ && padding_unread) return run_row(in, buffers);
  constexpr auto size = static_cast<std::int64_t>(sizeof(T));
  constexpr auto type = sizeof(T) == 4 ? DataType::float32 : DataType::float64;
  kernels_.gather({type, in, in_stride * size, size, nullptr, 0, rows, inputs_,
                   fused_input_ ? fused_input_->scale() : nullptr,
                   fused_input_ ? fused_input_->offset() : nullptr, x, buffers.stride});
  if (rows == 1) return run_row(x, buffers);
  for (const InferOp& op : ops_) {
    T* to = op.in_place ? x : y;
    op.stage->infer({rows, x, buffers.stride, to, buffers.stride, buffers.scratch.data()});
    if (!op.in_place) std::swap(x, y);
  }
  return x;
}

/// Runs all ops on x, which lies in the first buffer unless the first op is a product.
template <class T>
T* InferencePlan<T>::run_row(const T* x, InferWorkspace<T>& buffers) const noexcept {
  T* present = buffers.first.data();
  T* other = buffers.second.data();
  for (const InferOp& op : ops_) {
    T* y = op.in_place ? present : other;
    if (op.is_product) {
      kernels_.forward_row(op.product, x, y, op.zeros ? buffers.terms.data() : nullptr);
    } else {
      op.stage->infer({1, x, buffers.stride, y, buffers.stride, buffers.scratch.data()});
    }
    if (!op.in_place) std::swap(present, other);
    x = present;
  }
  return present;
}

template class InferencePlan<float>;
template class InferencePlan<double>;

}  // namespace chainrule::engine
