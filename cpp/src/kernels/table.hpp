// SPDX-License-Identifier: Apache-2.0
// What the engine may ask of the kernels: two tables of function pointers per instruction set. Only
// PODs here and in what it includes, no function: these headers are part of every instruction set's
// units.
#pragma once

#include <stdint.h>

#include "kernels/convolution_args.hpp"
#include "kernels/depthwise_args.hpp"
#include "kernels/image_args.hpp"
#include "kernels/kinds.hpp"
#include "kernels/layer_args.hpp"
#include "kernels/layout.hpp"
#include "kernels/merge_args.hpp"
#include "kernels/pooling_args.hpp"
#include "kernels/product_args.hpp"
#include "kernels/recurrence_args.hpp"
#include "kernels/shape_args.hpp"
#include "kernels/small_args.hpp"
#include "kernels/sparse_args.hpp"
#include "kernels/symmetric_args.hpp"
#include "kernels/training_args.hpp"

namespace chainrule::kernels {

/// What predictions need.
template <class T>
struct InferenceKernels {
  const char* name;
  int64_t panel;          // columns of a weight panel, and rows of a batch panel
  int64_t sparse_panels;  // that products with sparse input work on together
  int64_t lanes;          // of a vector

  void (*gather)(const GatherArgs<T>&);
  void (*affine)(const T* x, const T* scale, const T* offset, T* y, int64_t rows, int64_t columns,
                 int64_t stride);

  void (*forward)(const ForwardArgs<T>&);
  /// x and y are padded, x only where `terms` is given: room for a list of the nonzero inputs, 16
  /// more than all; null: all terms are summed.
  void (*forward_row)(const RowArgs<T>&, const T* x, T* y, int32_t* terms);
  /// The same of these terms alone, the first of which is x[0].
  void (*forward_row_terms)(const RowArgs<T>&, const RowTerms&, const T* x, T* y);
  /// sums = start + sum over k < terms, in order, of x[k] weight[k * stride + :] of each strip, one
  /// by one: what a strip starts from may be the sums of one behind it.
  void (*row_strips)(const RowStrip<T>* strips, int64_t count, const T* x, int64_t terms,
                     int64_t stride);
  /// Of float alone; null for double. Products with small weights, whatever the number of rows.
  void (*bfloat16_forward)(const SmallForwardArgs&);
  void (*int8_forward)(const SmallForwardArgs&);
  /// The same by instructions for just that; null where the processor has none.
  void (*int8_vnni_forward)(const SmallForwardArgs&);
  /// (rows x columns) row-major into batch panels [rows / panel][columns][panel]; missing rows are
  /// zero.
  void (*pack_transposed)(const T* x, int64_t stride, int64_t rows, int64_t columns, T* panels);
  void (*convolve)(const ConvolutionArgs<T>&);
  void (*add_border)(const BorderArgs<T>&);
  void (*depthwise)(const DepthwiseArgs<T>&);
  void (*sparse_forward)(const SparseForwardArgs<T>&);
  void (*embedding_forward)(const EmbeddingForwardArgs<T>&);
  void (*nonzero_mask)(const T* x, int64_t width, uint64_t* mask);
  void (*masked_forward)(const MaskedForwardArgs<T, NumberTable<T>>&);

  void (*activation_forward)(const ActivationArgs<T>&, const T* z, T* y);
  void (*batch_norm_inference)(const BatchNormArgs<T>&);
  void (*layer_norm_forward)(const LayerNormArgs<T>&);
  void (*prelu_forward)(const PreluArgs<T>&);
  /// y may be one of the tensors that it reads.
  void (*mix)(const MixArgs<T>&, T* y);
  void (*periodic_forward)(const NumberEmbeddingArgs<T>&, const PeriodicBasis<T>&, const T* x,
                           T* y);
  void (*piecewise_linear_forward)(const NumberEmbeddingArgs<T>&, const PiecewiseLinearBasis<T>&,
                                   const T* x, T* y);

  void (*merge_forward)(const MergeArgs<T>&, T* y);
  /// y(i, j) = x(i, j) for i < rows and j < columns; nothing else is written.
  void (*copy_columns)(const T* x, int64_t x_stride, T* y, int64_t y_stride, int64_t rows,
                       int64_t columns);
  void (*dot_forward)(const DotArgs<T>&, T* y);
  void (*reshape)(const ReshapeArgs<T>&);
  void (*permute)(const PermuteShape&, int64_t rows, const T* x, T* y);
  /// y(i, j) = (sum over positions p, in order, of x(i, p, j)) / divisor
  void (*sum_positions)(const PositionsArgs<T>&, const T* x, T* y);
  /// y(i, p, j) = x(i, j) / divisor
  void (*repeat_positions)(const PositionsArgs<T>&, const T* x, T* y);
  /// One position for each window of positions, see pooling.hpp: its sum, or its largest numbers.
  void (*sum_windows)(const WindowShape&, const WindowFactors<T>&, int64_t batch, int64_t stride,
                      const T* x, T* y);
  void (*max_windows)(const WindowShape&, int64_t batch, int64_t stride, const T* x, T* y);
  /// y = x limited to [low, high]. x and y: padded to kRowAlignment.
  void (*clip)(T low, T high, const T* x, T* y, int64_t size);
  void (*smooth_clip)(const SmoothClipArgs<T>&);

  void (*simple_rnn_step)(const RecurrentStepArgs<T>&);
  void (*gru_step)(const RecurrentStepArgs<T>&);
  void (*lstm_step)(const RecurrentStepArgs<T>&);
};

/// What training, losses, tests and measurements need besides.
template <class T>
struct TrainingKernels {
  void (*weight_gradient)(const WeightGradientArgs<T>&);
  void (*convolution_gradient)(const ConvolutionGradientArgs<T>&);
  void (*depthwise_gradient)(const DepthwiseGradientArgs<T>&);
  void (*sparse_gradient)(const SparseGradientArgs<T>&);
  void (*embedding_gradient)(const EmbeddingGradientArgs<T>&);
  void (*transpose_mask)(const TransposeMaskArgs&);
  void (*masked_gradient)(const MaskedGradientArgs<T, NumberTable<T>>&);
  /// Copies the row besides.
  void (*copy_with_nonzero_mask)(const uint8_t* x, int64_t width, uint8_t* copy, uint64_t* mask);
  void (*masked_byte_forward)(const MaskedForwardArgs<T, ByteTable<T>>&);
  void (*masked_byte_gradient)(const MaskedGradientArgs<T, ByteTable<T>>&);
  void (*input_gradient)(const InputGradientArgs<T>&);
  /// sum over rows, in row order, of columns [column_begin, column_end), whole vectors. Where it
  /// `adds`, it goes on from the sums there.
  void (*column_sums)(const T* x, int64_t stride, int64_t rows, int64_t column_begin,
                      int64_t column_end, T* sums, bool adds);

  /// dz = dy * activation'(z); dz may be dy. y is the activation's output, z its input (used where
  /// y does not tell).
  void (*activation_backward)(const ActivationArgs<T>&, const T* z, const T* y, const T* dy, T* dz);

  void (*loss)(const LossArgs<T>&);
  void (*update)(const UpdateRule<T>&, const UpdateArgs<T>&);
  /// What precedes `update` where the rule needs whole gradients. weight, gradient and slots: rows
  /// x width of one panel. The slots change, and to weight_sums(j) and direction_sums(j) are added
  /// the squares of column j's weights and of what the rule makes of them, in order of rows.
  void (*direction_sums)(const UpdateRule<T>&, const UpdateArgs<T>&, int64_t width,
                         double* weight_sums, double* direction_sums);
  /// sums(j) = sum over rows k, in order, of (g(k, j) + penalty's gradient)^2, clipped as the rule
  /// says.
  void (*squared_column_sums)(const UpdateRule<T>&, const PanelShape&, int64_t panel,
                              const T* weight, const T* g, T l1, T l2, T* sums);

  /// The sum over x, padded to kRowAlignment, in an order of each instruction set's own: for
  /// bounds.
  T (*sum_of_squares)(const T* x, int64_t size);

  void (*multiply)(const T* a, const T* b, T* y, int64_t size);
  /// y = y + x, for the gradients of a tensor that several stages read. x and y: padded to
  /// kRowAlignment.
  void (*accumulate)(const T* x, T* y, int64_t size);
  void (*clip_backward)(T low, T high, const T* x, const T* dy, T* dx, int64_t size);
  void (*smooth_clip_backward)(const SmoothClipBackwardArgs<T>&);
  /// Null among dxs, as for da and db below: not wanted.
  void (*merge_backward)(const MergeArgs<T>&, const T* dy, T* const* dxs);
  void (*dot_backward)(const DotArgs<T>&, const T* dy, T* da, T* db);
  void (*max_windows_noting)(const WindowShape&, int64_t batch, int64_t stride, const T* x, T* y,
                             WindowChoice<T>* chosen);
  void (*max_windows_backward)(const WindowShape&, const WindowCover&, int64_t batch,
                               int64_t stride, const WindowChoice<T>* chosen, const T* dy, T* dx);
  /// ds(j) = sum over rows i, in order, of dy(i, j) x(i, j), of columns [column_begin, column_end),
  /// whole vectors.
  void (*scale_gradient)(const T* x, const T* dy, int64_t stride, int64_t rows,
                         int64_t column_begin, int64_t column_end, T* ds);

  void (*batch_norm_forward)(const BatchNormArgs<T>&);
  void (*batch_norm_backward)(const BatchNormArgs<T>&);
  void (*layer_norm_backward)(const LayerNormArgs<T>&);
  void (*affine_gradient)(const AffineGradientArgs<T>&);
  void (*periodic_backward)(const NumberEmbeddingArgs<T>&, const PeriodicBasis<T>&, const T* x,
                            const T* dy, T* dx);
  void (*periodic_gradient)(const NumberEmbeddingArgs<T>&, const PeriodicBasis<T>&,
                            const NumberEmbeddingGradients<T>&, const T* x, const T* dy,
                            int64_t column_begin, int64_t column_end);
  void (*piecewise_linear_backward)(const NumberEmbeddingArgs<T>&, const PiecewiseLinearBasis<T>&,
                                    const T* x, const T* dy, T* dx);
  void (*piecewise_linear_gradient)(const NumberEmbeddingArgs<T>&, const PiecewiseLinearBasis<T>&,
                                    const NumberEmbeddingGradients<T>&, const T* x, const T* dy,
                                    int64_t column_begin, int64_t column_end);
  void (*mix_gradient)(const MixArgs<T>&, const T* dy, int64_t column_begin, int64_t column_end,
                       T* dshare);
  void (*simple_rnn_step_backward)(const RecurrentBackwardArgs<T>&);
  void (*gru_step_backward)(const RecurrentBackwardArgs<T>&);
  void (*lstm_step_backward)(const RecurrentBackwardArgs<T>&);
  void (*prelu_backward)(const PreluArgs<T>&);
  void (*prelu_gradient)(const PreluArgs<T>&, int64_t column_begin, int64_t column_end);
  void (*dropout_factors)(const DropoutArgs&, T scale, T* factors, int64_t stride);
  /// y = x + stddev * normal variates; y may be x.
  void (*gaussian_noise)(const RandomRows&, double stddev, const T* x, T* y, int64_t stride);

  void (*resample)(const ResampleArgs<T>&);
  void (*displacement)(const DisplacementArgs<T>&);

  // Of double alone; null for float. Products of pairs of columns; and of rows [row_begin,
  // row_end):
  void (*pair_products)(const PairProductArgs<T>&);
  /// c(i, :) -= sum over k < row_begin, in order, of U(k, i) c(k, :)
  void (*subtract_products)(const TriangularArgs<T>&);
  /// c(i, :) = (c(i, :) - sum over k from row_begin, in order, of U(k, i) c(k, :)) scales(i)
  void (*solve_rows)(const TriangularArgs<T>&);
  /// The same where c itself becomes U: its columns [column_begin, column_end), which hold these
  /// rows' own, and the scales. False where a pivot is not positive and finite.
  bool (*factorize_rows)(const TriangularArgs<T>&, T* scales);

  void (*math)(MathFunction function, const T* x, T* y, int64_t n);
  /// The fixed tree of kReductionLanes sums.
  T (*tree_sum)(const T* x, int64_t n);
  /// Operations done in `steps` steps at the processor's limit.
  int64_t (*fma_chains)(int64_t steps, T* value);
};

/// One instruction set's kernels for one precision.
template <class T>
struct KernelTable : InferenceKernels<T>, TrainingKernels<T> {};

}  // namespace chainrule::kernels
