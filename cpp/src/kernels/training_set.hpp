// SPDX-License-Identifier: Apache-2.0
// What one instruction set does in training beyond predictions, as one table; each
// isa_*_training.cpp defines its instruction set, includes this and exports it.
#pragma once

#include "kernels/activation.hpp"
#include "kernels/augmentation.hpp"
#include "kernels/convolution.hpp"
#include "kernels/depthwise.hpp"
#include "kernels/dot.hpp"
#include "kernels/dropout.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/embedding.hpp"
#include "kernels/gaussian_noise.hpp"
#include "kernels/loss.hpp"
#include "kernels/masked.hpp"
#include "kernels/math_loop.hpp"
#include "kernels/merge.hpp"
#include "kernels/mix.hpp"
#include "kernels/multiply.hpp"
#include "kernels/normalization.hpp"
#include "kernels/peak.hpp"
#include "kernels/periodic.hpp"
#include "kernels/piecewise_linear.hpp"
#include "kernels/pooling.hpp"
#include "kernels/prelu.hpp"
#include "kernels/recurrence.hpp"
#include "kernels/reduce.hpp"
#include "kernels/scale.hpp"
#include "kernels/smooth_clip.hpp"
#include "kernels/sparse.hpp"
#include "kernels/symmetric.hpp"
#include "kernels/update.hpp"

namespace {

template <class T>
constexpr TrainingKernels<T> training_kernels() {
  TrainingKernels<T> k{};
  k.weight_gradient = weight_gradient<T>;
  k.convolution_gradient = convolution_gradient<T>;
  k.depthwise_gradient = depthwise_gradient<T>;
  k.sparse_gradient = sparse_gradient<T>;
  k.embedding_gradient = embedding_gradient<T>;
  k.transpose_mask = transpose_mask;
  k.masked_gradient = masked_gradient<T, NumberTable<T>>;
  k.copy_with_nonzero_mask = copy_with_nonzero_mask;
  k.masked_byte_forward = masked_forward<T, ByteTable<T>>;
  k.masked_byte_gradient = masked_gradient<T, ByteTable<T>>;
  k.input_gradient = input_gradient<T>;
  k.column_sums = column_sums<T>;
  k.activation_backward = activation_backward<T>;
  k.loss = loss<T>;
  k.update = update<T>;
  k.direction_sums = direction_sums<T>;
  k.squared_column_sums = squared_column_sums<T>;
  k.sum_of_squares = sum_of_squares<T>;
  k.multiply = multiply<T>;
  k.accumulate = accumulate<T>;
  k.clip_backward = clip_backward<T>;
  k.smooth_clip_backward = smooth_clip_backward<T>;
  k.merge_backward = merge_backward<T>;
  k.dot_backward = dot_backward<T>;
  k.max_windows_noting = max_windows_noting<T>;
  k.max_windows_backward = max_windows_backward<T>;
  k.scale_gradient = scale_gradient<T>;
  k.batch_norm_forward = batch_norm_forward<T>;
  k.batch_norm_backward = batch_norm_backward<T>;
  k.layer_norm_backward = layer_norm_backward<T>;
  k.affine_gradient = affine_gradient<T>;
  k.mix_gradient = mix_gradient<T>;
  k.periodic_backward = embedding_backward<T, PeriodicBasis>;
  k.piecewise_linear_backward = embedding_backward<T, PiecewiseLinearBasis>;
  k.periodic_gradient = embedding_gradient<T, PeriodicBasis>;
  k.piecewise_linear_gradient = embedding_gradient<T, PiecewiseLinearBasis>;
  k.simple_rnn_step_backward = simple_rnn_step_backward<T>;
  k.gru_step_backward = gru_step_backward<T>;
  k.lstm_step_backward = lstm_step_backward<T>;
  k.prelu_backward = prelu_backward<T>;
  k.prelu_gradient = prelu_gradient<T>;
  k.dropout_factors = dropout_factors<T>;
  k.gaussian_noise = gaussian_noise<T>;
  k.resample = resample<T>;
  k.displacement = displacement<T>;
  if constexpr (sizeof(T) == sizeof(double)) {
    k.pair_products = pair_products<T>;
    k.subtract_products = subtract_products<T>;
    k.solve_rows = solve_rows<T>;
    k.factorize_rows = factorize_rows<T>;
  }
  k.math = math_array<T>;
  k.tree_sum = tree_sum<T>;
  k.fma_chains = fma_chains<T>;
  return k;
}

}  // namespace
