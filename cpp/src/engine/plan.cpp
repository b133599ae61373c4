// SPDX-License-Identifier: Apache-2.0
// Tensors and stages alternate:
//
//   values_[0] -> stage 0 -> values_[1] -> stage 1 -> ... -> values_[n]              forward
//   gradients_[0] <- stage 0 <- gradients_[1] <- stage 1 <- ... <- gradients_[n]     backward
//
// The loss reads values_[n] and writes gradients_[n], both (rows x outputs of the last stage).
#include "engine/plan.hpp"

#include <cmath>
#include <limits>

#include "engine/norm.hpp"
#include "engine/stages/activation.hpp"
#include "model/last_activation.hpp"

namespace chainrule::engine {

template <class T>
Plan<T>::Plan(const kernels::KernelTable<T>& kernels, const std::vector<AnyLayer>& layers,
              Parameters<T>& parameters, std::int64_t inputs, const PlanOptions& options)
    : kernels_(kernels),
      options_(options),
      stages_(make_stages(kernels, layers, parameters, inputs)),
      input_(kernels, options, inputs, stages_),
      first_forward_(input_.fuses_affine() ? 1 : 0),
      lowest_backward_(find_lowest_backward()) {
  for (const auto& stage : stages_) {
    if (auto* affine = dynamic_cast<AffineStage<T>*>(stage.get())) affine_.push_back(affine);
  }
  connect(inputs);
}

template <class T>
Stages<T> Plan<T>::make_stages(const kernels::KernelTable<T>& kernels,
                               const std::vector<AnyLayer>& layers, Parameters<T>& parameters,
                               std::int64_t inputs) const {
  Stages<T> stages;
  std::int64_t columns = inputs;
  check_table_size(options_.batch_size, columns, options_.threads);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    check_table_size(options_.batch_size, layers[i]->outputs(columns), options_.threads);
    const StageContext<T> context{.kernels = kernels,
                                  .parameters = parameters,
                                  .layer = static_cast<std::int64_t>(i),
                                  .inputs = columns,
                                  .batch_size = options_.batch_size,
                                  .threads = options_.threads,
                                  .backward = options_.backward};
    add_stages(*layers[i], context, stages);
    columns = layers[i]->outputs(columns);
  }
  if (options_.loss && !stages.empty()) {
    const auto* last = dynamic_cast<const ActivationStage<T>*>(stages.back().get());
    if (last && model::contains(*options_.loss, last->activation())) stages.pop_back();
  }
  return stages;
}

template <class T>
std::size_t Plan<T>::find_lowest_backward() const {
  if (options_.input_gradient && input_.passes_gradient()) return 0;
  for (std::size_t i = 0; options_.backward && i < stages_.size(); ++i) {
    if (stages_[i]->has_parameters()) return i;
  }
  return stages_.size();
}

template <class T>
Tensor<T> Plan<T>::new_tensor(std::int64_t columns) {
  const std::int64_t stride = row_stride<T>(columns);
  buffers_.emplace_back(padded<T>(options_.batch_size) * stride);
  return {buffers_.back().data(), columns, stride};
}

template <class T>
void Plan<T>::connect(std::int64_t inputs) {
  values_.push_back(input_.x());
  // Where no stage writes to it, it stays zero.
  gradients_.push_back(options_.input_gradient ? new_tensor(inputs) : Tensor<T>{});
  const bool input_gradient = options_.input_gradient && input_.passes_gradient();
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    Stage<T>& stage = *stages_[i];
    const std::int64_t columns = stage.outputs();
    const bool in_place = i == 0 && input_.fuses_affine();
    const bool listed = i == 0 && input_.lists_first_output();
    const bool last = i + 1 == stages_.size();
    const bool wanted = options_.backward && (last || lowest_backward_ <= i);
    values_.push_back(in_place ? values_[0]
                      : listed ? Tensor<T>{nullptr, columns, row_stride<T>(columns)}
                               : new_tensor(columns));
    gradients_.push_back(wanted ? new_tensor(columns) : Tensor<T>{});
    stage.x = values_[i];
    stage.y = values_[i + 1];
    stage.dx = lowest_backward_ < i || input_gradient ? gradients_[i] : Tensor<T>{};
    stage.dy = gradients_[i + 1];
  }
}

/// The input's tensor has memory only once it is needed.
template <class T>
void Plan<T>::connect_input() {
  values_[0] = input_.x();
  if (input_.fuses_affine()) values_[1] = values_[0];
  for (std::size_t i = 0; i <= first_forward_ && i < stages_.size(); ++i) {
    stages_[i]->x = values_[i];
    stages_[i]->y = values_[i + 1];
  }
}

template <class T>
void Plan<T>::refresh() {
  for (AffineStage<T>* affine : affine_) affine->refresh();
}

template <class T>
void Plan<T>::choose_path(const RowsView& x, InputSparsity sparsity) {
  input_.choose_path(x, sparsity);
  connect_input();
}

template <class T>
void Plan<T>::forward(ThreadContext& context, const Step<T>& step) {
  for (std::size_t i = first_forward_; i < stages_.size(); ++i) {
    Stage<T>& stage = *stages_[i];
    const bool fed = input_.feeds(stage);
    if (fed) {
      input_.sync_for(context, stage.partition());
    } else {
      context.sync_for(stage.partition());
    }
    stage.forward(step, context.slice());
    if (fed) input_.transpose(step, context.slice());
  }
  context.sync_for(Partition::rows);
}

template <class T>
void Plan<T>::backward(ThreadContext& context, const Step<T>& step) {
  for (std::size_t i = stages_.size(); i-- > lowest_backward_;) {
    context.sync_for(stages_[i]->backward_partition());
    stages_[i]->backward(step, context.slice());
  }
}

template <class T>
void Plan<T>::gradients(ThreadContext& context, const Step<T>& step) {
  for (std::size_t i = lowest_backward_; i < stages_.size(); ++i)
    stages_[i]->gradients(step, context.slice());
  if (step.update && input_.can_skip_barrier(context.slice().count)) context.allow_barrier_skip();
}

template <class T>
const Tensor<T>& Plan<T>::output_of(std::int64_t layer) const {
  std::size_t after = 0;
  while (after < stages_.size() && stages_[after]->layer <= layer) ++after;
  return values_[after];
}

template <class T>
std::int64_t Plan<T>::first_bad_layer(std::int64_t rows) const {
  for (std::size_t i = input_.keeps_bytes() ? first_forward_ : 0; i < stages_.size(); ++i) {
    for (std::int64_t r = 0; r < rows && values_[i + 1].data; ++r) {
      for (std::int64_t j = 0; j < values_[i + 1].columns; ++j) {
        if (!std::isfinite(values_[i + 1].row(r)[j])) return stages_[i]->layer;
      }
    }
  }
  return -1;
}

/// A gradient is a sum of products of entries of x, or of x normalised, and entries of dy, in each
/// row one of dy: by Cauchy and Schwarz at most the product of their 2-norms. Normalised columns or
/// rows, categories and ones have a norm of at most sqrt(rows x columns).
template <class T>
double Plan<T>::gradient_bound(std::int64_t rows) const {
  double bound = 0.0;
  for (std::size_t i = lowest_backward_; i < stages_.size(); ++i) {
    const Stage<T>& stage = *stages_[i];
    if (!stage.has_parameters()) continue;
    const double read = input_.leaves_out_table(stage) ? input_.norm(rows)
                        : stage.x.data                 ? norm_of(kernels_, stage.x, rows)
                                                       : 0.0;
    const double entries = static_cast<double>(rows * stage.x.columns);
    bound += (read + std::sqrt(entries)) * norm_of(kernels_, stage.dy, rows);
  }
  // Rounding adds less to each of the sums.
  return bound * (1.0 + static_cast<double>(rows) * std::numeric_limits<T>::epsilon());
}

template <class T>
PlanInfo Plan<T>::describe() const {
  PlanInfo info{options_.threads, {}, input_.path()};
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const Stage<T>& stage = *stages_[i];
    const Cost cost = stage.cost(options_.batch_size);
    const bool fused = i == 0 && (input_.fuses_affine() || input_.lists_first_output());
    info.stages.push_back({stage.describe(),
                           fused                                     ? "fused"
                           : stage.partition() == Partition::columns ? "columns"
                                                                     : "rows",
                           cost.operations, fused ? 0.0 : cost.bytes});
  }
  return info;
}

template class Plan<float>;
template class Plan<double>;

}  // namespace chainrule::engine
