// SPDX-License-Identifier: Apache-2.0
// The kernels for dual numbers: the same loops as for numbers, by the portable vectors. Products
// with weights are of dual_products.hpp in recurrent layers, and elsewhere of the active
// instruction set (DualDenseStage). Updates have none.
#pragma once

#include "kernels/dispatch.hpp"
#include "kernels/dual_products.hpp"
#include "kernels/dual_simd.hpp"
// Behind the vectors of dual numbers, which all of these are then made for.
#include "kernels/activation.hpp"
#include "kernels/copy.hpp"
#include "kernels/dot.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/embedding.hpp"
#include "kernels/gather.hpp"
#include "kernels/loss.hpp"
#include "kernels/merge.hpp"
#include "kernels/mix.hpp"
#include "kernels/normalization.hpp"
#include "kernels/periodic.hpp"
#include "kernels/piecewise_linear.hpp"
#include "kernels/pooling.hpp"
#include "kernels/positions.hpp"
#include "kernels/prelu.hpp"
#include "kernels/recurrence.hpp"
#include "kernels/reduce.hpp"
#include "kernels/reshape.hpp"
#include "kernels/scale.hpp"
#include "kernels/smooth_clip.hpp"

namespace {

/// A lane of a vector of dual numbers cannot be assigned to.
template <>
CHAINRULE_INLINE DualVector load_some<Dual>(const Dual* p, int64_t count) {
  if (count >= kLanes<Dual>) return load(p);
  const Dual some[kLanes<Dual>] = {p[0], {}};
  return load(some);
}

/// The values and tangents of some neighbouring numbers.
struct SplitNumbers {
  static constexpr int64_t kMost = 64;
  alignas(64) double values[kMost] = {};
  alignas(64) double tangents[kMost] = {};

  void load(const Dual* x, int64_t count) {
    for (int64_t j = 0; j < count; ++j) {
      values[j] = x[j].value;
      tangents[j] = x[j].tangent;
    }
  }
  void store(Dual* x, int64_t count) const {
    for (int64_t j = 0; j < count; ++j) x[j] = {values[j], tangents[j]};
  }
};

/// y = f(z) with the tangent f'(z) dz, by the derivative of the backward pass: where f has a kink,
/// both passes then agree. z, y: rows x columns at one stride.
void dual_activation_forward(const ActivationArgs<Dual>& f, const Dual* z, Dual* y) {
  if (f.function.kind == ActivationKind::softmax) return apply_rows(f, Softmax<Dual>{}, z, y);
  const KernelTable<double>& real = active<double>();
  const ActivationFunction<double> function{
      f.function.kind, {f.function.parameters[0].value, f.function.parameters[1].value}};
  SplitNumbers from;
  SplitNumbers to;
  for (int64_t i = 0; i < f.rows; ++i) {
    for (int64_t j = 0; j < f.columns; j += SplitNumbers::kMost) {
      const int64_t left = f.columns - j;
      const int64_t count = left < SplitNumbers::kMost ? left : SplitNumbers::kMost;
      const ActivationArgs<double> part{function, 1, count, SplitNumbers::kMost};
      from.load(z + i * f.stride + j, count);
      real.activation_forward(part, from.values, to.values);
      real.activation_backward(part, from.values, to.values, from.tangents, to.tangents);
      to.store(y + i * f.stride + j, count);
    }
  }
}

constexpr KernelTable<Dual> dual_table() {
  KernelTable<Dual> k{};
  k.name = "dual";
  k.panel = kRowAlignment<Dual>;
  k.gather = gather<Dual>;
  k.affine = affine<Dual>;
  k.embedding_forward = embedding_forward<Dual>;
  k.activation_forward = dual_activation_forward;
  k.batch_norm_inference = batch_norm_inference<Dual>;
  k.layer_norm_forward = layer_norm_forward<Dual>;
  k.prelu_forward = prelu_forward<Dual>;
  k.mix = mix<Dual>;
  k.periodic_forward = embedding_forward<Dual, PeriodicBasis>;
  k.piecewise_linear_forward = embedding_forward<Dual, PiecewiseLinearBasis>;
  k.merge_forward = merge_forward<Dual>;
  k.copy_columns = copy_columns<Dual>;
  k.dot_forward = dot_forward<Dual>;
  k.reshape = reshape<Dual>;
  k.permute = permute<Dual>;
  k.sum_positions = sum_positions<Dual>;
  k.repeat_positions = repeat_positions<Dual>;
  k.sum_windows = sum_windows<Dual>;
  k.max_windows = max_windows<Dual>;
  k.clip = clip<Dual>;
  k.smooth_clip = smooth_clip<Dual>;
  k.embedding_gradient = embedding_gradient<Dual>;
  k.column_sums = column_sums<Dual>;
  k.activation_backward = activation_backward<Dual>;
  k.loss = loss<Dual>;
  k.accumulate = accumulate<Dual>;
  k.clip_backward = clip_backward<Dual>;
  k.smooth_clip_backward = smooth_clip_backward<Dual>;
  k.merge_backward = merge_backward<Dual>;
  k.dot_backward = dot_backward<Dual>;
  k.max_windows_noting = max_windows_noting<Dual>;
  k.max_windows_backward = max_windows_backward<Dual>;
  k.scale_gradient = scale_gradient<Dual>;
  k.batch_norm_backward = batch_norm_backward<Dual>;
  k.layer_norm_backward = layer_norm_backward<Dual>;
  k.affine_gradient = affine_gradient<Dual>;
  k.mix_gradient = mix_gradient<Dual>;
  k.periodic_backward = embedding_backward<Dual, PeriodicBasis>;
  k.piecewise_linear_backward = embedding_backward<Dual, PiecewiseLinearBasis>;
  k.periodic_gradient = embedding_gradient<Dual, PeriodicBasis>;
  k.piecewise_linear_gradient = embedding_gradient<Dual, PiecewiseLinearBasis>;
  k.prelu_backward = prelu_backward<Dual>;
  k.prelu_gradient = prelu_gradient<Dual>;
  k.tree_sum = tree_sum<Dual>;
  k.forward = dual_forward;
  k.forward_row_terms = dual_forward_row_terms;
  k.weight_gradient = dual_weight_gradient;
  k.pack_transposed = dual_pack_transposed;
  k.input_gradient = dual_input_gradient;
  k.multiply = dual_multiply;
  k.simple_rnn_step = simple_rnn_step<Dual>;
  k.simple_rnn_step_backward = simple_rnn_step_backward<Dual>;
  k.gru_step = gru_step<Dual>;
  k.gru_step_backward = gru_step_backward<Dual>;
  k.lstm_step = lstm_step<Dual>;
  k.lstm_step_backward = lstm_step_backward<Dual>;
  return k;
}

/// What the stages of a plan of dual numbers use; those that it does without are null.
const KernelTable<Dual>& dual_kernels() {
  static constexpr KernelTable<Dual> kernels = dual_table();
  return kernels;
}

}  // namespace
