// SPDX-License-Identifier: Apache-2.0
// What one instruction set does for predictions, as one table; each isa_*_inference.cpp defines its
// instruction set, includes this and exports it.
#pragma once

#include "kernels/activation.hpp"
#include "kernels/convolution.hpp"
#include "kernels/copy.hpp"
#include "kernels/depthwise.hpp"
#include "kernels/dot.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/embedding.hpp"
#include "kernels/gather.hpp"
#include "kernels/masked.hpp"
#include "kernels/merge.hpp"
#include "kernels/mix.hpp"
#include "kernels/multiply.hpp"
#include "kernels/normalization.hpp"
#include "kernels/periodic.hpp"
#include "kernels/piecewise_linear.hpp"
#include "kernels/pooling.hpp"
#include "kernels/positions.hpp"
#include "kernels/prelu.hpp"
#include "kernels/recurrence.hpp"
#include "kernels/reshape.hpp"
#include "kernels/row.hpp"
#include "kernels/small_weights.hpp"
#include "kernels/smooth_clip.hpp"
#include "kernels/sparse.hpp"

namespace {

template <class T>
constexpr InferenceKernels<T> inference_kernels(const char* name) {
  InferenceKernels<T> k{};
  k.name = name;
  k.panel = kPanelColumns<T>;
  k.sparse_panels = kSparsePanels;
  k.lanes = kLanes<T>;
  k.gather = gather<T>;
  k.affine = affine<T>;
  k.forward = forward<T>;
  k.forward_row = forward_row<T>;
  k.forward_row_terms = forward_row_terms<T>;
  k.row_strips = row_strips<T>;
  if constexpr (sizeof(T) == 4) {
    k.bfloat16_forward = bfloat16_forward;
    k.int8_forward = int8_forward<PlainDot>;
#ifdef CHAINRULE_VNNI
    k.int8_vnni_forward = int8_forward<VnniDot>;
#endif
  }
  k.pack_transposed = pack_transposed<T>;
  k.convolve = convolve<T>;
  k.add_border = add_border<T>;
  k.depthwise = depthwise<T>;
  k.sparse_forward = sparse_forward<T>;
  k.embedding_forward = embedding_forward<T>;
  k.nonzero_mask = nonzero_mask<T>;
  k.masked_forward = masked_forward<T, NumberTable<T>>;
  k.activation_forward = activation_forward<T>;
  k.batch_norm_inference = batch_norm_inference<T>;
  k.layer_norm_forward = layer_norm_forward<T>;
  k.prelu_forward = prelu_forward<T>;
  k.mix = mix<T>;
  k.periodic_forward = embedding_forward<T, PeriodicBasis>;
  k.piecewise_linear_forward = embedding_forward<T, PiecewiseLinearBasis>;
  k.merge_forward = merge_forward<T>;
  k.copy_columns = copy_columns<T>;
  k.dot_forward = dot_forward<T>;
  k.reshape = reshape<T>;
  k.permute = permute<T>;
  k.sum_positions = sum_positions<T>;
  k.repeat_positions = repeat_positions<T>;
  k.sum_windows = sum_windows<T>;
  k.max_windows = max_windows<T>;
  k.clip = clip<T>;
  k.smooth_clip = smooth_clip<T>;
  k.simple_rnn_step = simple_rnn_step<T>;
  k.gru_step = gru_step<T>;
  k.lstm_step = lstm_step<T>;
  return k;
}

}  // namespace
