// SPDX-License-Identifier: Apache-2.0
// What the other parts of layers read and write.
#pragma once

#include <stdint.h>

#include "kernels/kinds.hpp"
#include "kernels/layout.hpp"

namespace chainrule::kernels {

/// An activation with its options, in the order of its struct's members.
template <class T>
struct ActivationFunction {
  ActivationKind kind;
  T parameters[2];
};

template <class T>
struct ActivationArgs {
  ActivationFunction<T> function;
  int64_t rows, columns, stride;
};

/// A column that is worked out in double, y = (x - centre) * factor, where T could not tell its
/// numbers from each other.
struct WideColumn {
  int64_t column;
  double centre, factor;
};

/// Rows of the user's array into a padded buffer, y = x * scale + offset with one scale and offset
/// a column.
template <class T>
struct GatherArgs {
  DataType type;
  const void* source;
  int64_t row_stride, column_stride;  // bytes
  const int64_t* order;               // null: rows first, first + 1, ...
  int64_t first;
  int64_t rows, columns;
  const T* scale;  // null: no scaling; else padded vectors
  const T* offset;
  T* y;
  int64_t y_stride;
  const WideColumn* wide = nullptr;  // of float32 networks, for numbers of more digits
  int64_t wide_count = 0;
};

/// Normalisation over the batch of the columns [column_begin, column_end), whole vectors.
template <class T>
struct BatchNormArgs {
  int64_t rows, column_begin, column_end;
  bool fixed;  // the statistics are the running ones, constants to the backward pass
  T epsilon, momentum;
  const T* gamma;  // null: 1
  const T* beta;   // null: 0
  const T* x;
  T* y;
  int64_t stride;
  T* mean;     // what was subtracted, kept for the backward pass
  T* inverse;  // 1 / sqrt(variance + epsilon)
  T* running_mean;
  T* running_variance;
  const T* dy;
  T* dx;  // null: not wanted, as the next two
  T* dgamma;
  T* dbeta;
};

template <class T>
struct LayerNormArgs {
  int64_t rows, columns, stride;
  T epsilon;
  const T* gamma;
  const T* beta;
  const T* x;
  T* y;
  T* mean;     // per row
  T* inverse;  // per row
  const T* dy;
  T* dx;
};

/// A smooth limit for each column, and what stands for NaN; see smooth_clip.hpp.
template <class T>
struct SmoothClipArgs {
  int64_t rows, columns;
  const T* rate;  // per column, 1 / limit; 0: none
  const T* fill;  // per column, in the place of NaN
  const T* x;
  int64_t x_stride;
  T* y;
  int64_t y_stride;
};

/// Its gradient, of rows of x and dx at one stride.
template <class T>
struct SmoothClipBackwardArgs {
  int64_t rows, columns;
  const T* rate;
  const T* x;
  T* dx;
  int64_t x_stride;
  const T* dy;
  int64_t dy_stride;
};

/// Sums over the batch that give gamma's and beta's gradients, columns [column_begin, column_end).
template <class T>
struct AffineGradientArgs {
  int64_t rows, column_begin, column_end, stride;
  const T* x;
  const T* mean;     // per row
  const T* inverse;  // per row
  const T* dy;
  T* dgamma;  // null: not wanted
  T* dbeta;
};

/// An activation with a slope for each column, see prelu.hpp.
template <class T>
struct PreluArgs {
  int64_t rows, columns, stride;
  const T* slope;
  const T* x;
  T* y;
  const T* dy;
  T* dx;
  T* dslope;
};

/// Two tensors by a share of the second for each column, see mix.hpp.
template <class T>
struct MixArgs {
  int64_t rows, columns, stride;
  const T* share;
  const T* from;
  const T* to;
};

/// Of an embedding of numbers, see number_embedding.hpp.
constexpr int64_t kMostFunctions = 128;
constexpr int64_t kMostEmbeddingUnits = 32;
constexpr double kTwoPi = 6.283185307179586;
constexpr double kOverPi = 0.3183098861837907;

template <class T>
struct NumberEmbeddingArgs {
  int64_t rows, columns;
  int64_t own;  // 1: y has each column itself, 0: it does not
  int64_t units, x_stride, y_stride;
  PanelShape basis_shape, weight_shape, bias_shape;
  const T* weight;  // (columns units, functions)
  const T* bias;    // (columns, units)
};

/// Waves, see periodic.hpp: (columns, functions) each, as all of a basis.
template <class T>
struct PeriodicBasis {
  const T* frequency;
  const T* phase;
};

/// Bins, see piecewise_linear.hpp.
template <class T>
struct PiecewiseLinearBasis {
  const T* edge;
  const T* rate;  // 1 / width, 0 for a bin without one
  const T* low;
  const T* high;
};

/// Gradients of the layout of what they are gradients of; the first two of waves alone.
template <class T>
struct NumberEmbeddingGradients {
  T* frequency;
  T* phase;
  T* weight;
  T* bias;
};

/// Random words are blocks of the library's counter layout, see random_block: block = row * blocks
/// a row + column / 4.
struct DropoutArgs {
  uint64_t seed;
  uint32_t use;        // RandomUse::dropout
  uint64_t stream;     // one per layer and step
  uint32_t threshold;  // a word below it drops the value
  int64_t row_begin, row_end, columns;
};

/// Random words for rows of numbers, laid out as in DropoutArgs.
struct RandomRows {
  uint64_t seed;
  uint32_t use;
  uint64_t stream;  // one per layer and step
  int64_t row_begin, row_end, columns;
  uint64_t first_block = 0;  // of row 0
};

}  // namespace chainrule::kernels
