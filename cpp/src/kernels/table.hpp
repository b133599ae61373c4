// SPDX-License-Identifier: Apache-2.0
// What the engine may ask of the kernels: plain data in, two tables of function pointers per
// instruction set out. Only PODs here, no function: this header is part of every instruction set's
// units.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace chainrule::kernels {

/// Every row of every buffer is padded to this many bytes, whatever the instruction set.
constexpr int64_t kGranuleBytes = 64;

template <class T>
constexpr int64_t kGranule = kGranuleBytes / int64_t(sizeof(T));

/// Reductions run in this many interleaved sums, combined as a fixed tree.
constexpr int kTreeLanes = 16;

/// A (rows x columns) matrix in column panels [columns / panel][rows][panel]: zero-padded, the last
/// panel only as wide as whole granules need. A vector is a matrix of one row.
struct PanelShape {
  int64_t rows;
  int64_t columns;
  int64_t panel;    // columns of every panel but the last
  int64_t granule;  // the last panel's width is a multiple of this
};

enum class MathFunction : int { exp, expm1, log, log1p, tanh, sigmoid, erf };

enum class ActivationKind : int {
  linear,
  relu,
  leaky_relu,
  elu,
  gelu,
  gelu_tanh,
  silu,
  sigmoid,
  tanh,
  softplus,
  softmax,
  exponential
};

enum class LossKind : int {
  mse,
  mae,
  huber,
  log_cosh,
  cross_entropy,
  binary_cross_entropy,
  hinge,
  quantile,
  poisson
};

enum class OptimizerKind : int { sgd, adagrad, rmsprop, adam, adamw, adadelta, lion };

enum class SourceType : int { uint8, float32, float64, int32, int64 };

/// Ends the entries of a row.
constexpr int32_t kNoColumn = 0x7fffffff;

/// The entries of a batch that are not zero, by row: those of row i begin at begin[i], with rising
/// columns, and end before a kNoColumn. A few more may be read behind it.
template <class T>
struct SparseRows {
  const int32_t* columns;
  const T* values;
  const int64_t* begin;
};

/// The same by column, with rising rows: those of column j are [begin[j], begin[j + 1]).
template <class T>
struct SparseColumns {
  const int32_t* rows;
  const T* values;
  const int32_t* begin;
};

/// Bits that tell which entries of a row or column are not zero, the first entry's lowest.
constexpr int kMarksOfWord = 64;

constexpr int64_t words_of_marks(int64_t entries) {
  return (entries + kMarksOfWord - 1) / kMarksOfWord;
}

/// A block of marks, of at most 64 rows and columns, by row and by column.
struct TurnMarksArgs {
  const uint64_t* by_row;
  int64_t row_stride;
  int64_t rows;
  uint64_t* by_column;
  int64_t column_stride;
  int64_t columns;
  int32_t* counts;  // of marks, by column; added to
};

/// y(r, :) = x(r, :) W + b for rows [row_begin, row_end) and W's panels [panel_begin, panel_end).
template <class T>
struct ForwardArgs {
  PanelShape shape;  // of W: (inputs x outputs)
  const T* weight;
  const T* bias;  // padded vector, or null for zero
  const T* x;
  int64_t x_stride;
  T* y;
  int64_t y_stride;
  int64_t row_begin, row_end;
  int64_t panel_begin, panel_end;
  int64_t block;  // inputs summed at a time
};

/// The same from the entries that are not zero.
template <class T>
struct SparseForwardArgs {
  PanelShape shape;
  const T* weight;
  const T* bias;
  SparseRows<T> x;
  T* y;
  int64_t y_stride;
  int64_t row_begin, row_end;
  int64_t panel_begin, panel_end;
  int64_t block;    // inputs summed at a time
  int64_t* places;  // where each row goes on with the next block
  bool far;         // the weights lie in no cache that is near
};

/// The same from the marked entries of x; row i's marks begin at marks[i * words_of_marks(inputs)].
template <class T>
struct MarkedForwardArgs {
  PanelShape shape;
  const T* weight;
  const T* bias;
  const T* x;
  int64_t x_stride;
  const uint64_t* marks;
  T* y;
  int64_t y_stride;
  int64_t row_begin, row_end;
  int64_t panel_begin, panel_end;
  int64_t block;  // words of marks summed at a time
};

/// y = activation(x W + b) of a single row, all of W's panels.
template <class T>
struct RowArgs {
  PanelShape shape;  // of W: (inputs x outputs)
  const T* weight;
  const T* bias;  // padded vector, or null for zero
  ActivationKind activation;
  T parameter;
};

/// Rows of the caller's array that will be gathered next. Kernels that have loads to spare fetch
/// them into the second cache, piece by piece.
struct UpcomingRows {
  const char* data;
  int64_t row_stride, row_bytes;
  const int64_t* order;  // null: in sequence
  int64_t next, end;     // the next row, and behind the last one
  int64_t offset;        // bytes of the next row that were fetched already
};

/// g = x^T dy over all `batch` rows, for one panel of W and its rows [input_begin, input_end); g
/// points at row input_begin.
template <class T>
struct WeightGradientArgs {
  PanelShape shape;
  int64_t panel;
  int64_t input_begin, input_end;
  int64_t batch;
  const T* x;
  int64_t x_stride;
  const T* dy;
  int64_t dy_stride;
  T* g;
  int64_t block;           // rows of the batch summed at a time
  UpcomingRows* upcoming;  // null: none
};

/// The same from the entries that are not zero, for panels [panel_begin, panel_end), whose
/// gradients lie g_stride apart.
template <class T>
struct SparseGradientArgs {
  PanelShape shape;
  int64_t panel_begin, panel_end;
  int64_t input_begin, input_end;
  SparseColumns<T> x;
  const T* dy;
  int64_t dy_stride;
  T* g;
  int64_t g_stride;
  UpcomingRows* upcoming;  // null: none
};

/// The same from the marked entries of x; column j's marks begin at marks[j *
/// words_of_marks(batch)].
template <class T>
struct MarkedGradientArgs {
  PanelShape shape;
  int64_t panel_begin, panel_end;
  int64_t input_begin, input_end;
  int64_t batch;
  const T* x;
  int64_t x_stride;
  const uint64_t* marks;
  const T* dy;
  int64_t dy_stride;
  T* g;
  int64_t g_stride;
  UpcomingRows* upcoming;  // null: none
};

/// dx(r, :) = dy(r, :) W^T for `rows` rows, from dy turned into batch panels (see transpose).
template <class T>
struct InputGradientArgs {
  PanelShape shape;
  const T* weight;
  const T* dy_panels;
  int64_t rows;
  T* dx;
  int64_t dx_stride;
  T* scratch;     // group x chunk x panel
  int64_t group;  // batch panels that use a part of the weights one after the other
  int64_t chunk;  // inputs worked out at a time
  int64_t block;  // columns summed at a time, whole panels
};

/// The rows of a table that `count` categories a row stand for, side by side in y; zeros for
/// kNoColumn.
template <class T>
struct EmbeddingForwardArgs {
  PanelShape shape;  // of the table: (categories x units)
  const T* weight;
  const int32_t* categories;  // (rows x count)
  int64_t rows, count;
  T* y;
  int64_t y_stride;
};

/// For one panel of a table and its rows [category_begin, category_end): the sums of the parts of
/// dy that belong to a category, each `units` wide, in the order of its entries; g points at row
/// category_begin.
template <class T>
struct EmbeddingGradientArgs {
  PanelShape shape;
  int64_t panel;
  int64_t category_begin, category_end;
  SparseColumns<T> x;  // by category: a row of dy, and as the value which of the row's parts
  const T* dy;
  int64_t dy_stride;
  T* g;
};

template <class T>
struct ActivationArgs {
  ActivationKind kind;
  T parameter;
  int64_t rows, columns, stride;
};

template <class T>
struct LossArgs {
  LossKind kind;
  T delta;
  T label_smoothing;
  int64_t rows, columns;
  const T* z;  // raw outputs
  int64_t z_stride;
  const int32_t* labels;  // cross_entropy over labels; else null
  const T* targets;       // one row per row of z; else null
  int64_t target_stride;
  const T* row_weights;    // null: all 1
  const T* class_weights;  // null, or `columns` values padded to a granule (cross_entropy)
  const T* quantiles;      // quantile: `columns` values, the quantile of each output, padded
  T gradient_scale;        // 1 / sum of the batch's weights
  T* dz;                   // null: no gradient wanted
  int64_t dz_stride;
  T* row_losses;  // weighted
};

/// The numbers of one optimizer step, with everything that depends on the step already worked out.
template <class T>
struct UpdateRule {
  OptimizerKind kind;
  bool nesterov, centered, amsgrad, has_momentum, first_step;
  T learning_rate, momentum, one_minus_dampening;
  T beta1, one_minus_beta1, beta2, one_minus_beta2;
  T rho, one_minus_rho, epsilon, weight_decay, decay_factor;
  T step_size, inverse_root_correction;  // Adam: lr / (1 - beta1^t) and 1 / sqrt(1 - beta2^t)
  T clip_value;                          // 0: off
  T gradient_factor;                     // clipping by global norm; 1: off
};

template <class T>
struct UpdateArgs {
  T* weight;
  const T* gradient;
  T* slot0;
  T* slot1;
  T* slot2;
  int64_t size;
  T l1, l2;
  // Entries of a later call, counted from the first of these: fetched meanwhile.
  int64_t soon = 0, soon_size = 0;
};

/// Rows of the user's array into a padded buffer, y = x * scale + offset with one scale and offset
/// a column.
template <class T>
struct GatherArgs {
  SourceType type;
  const void* source;
  int64_t row_stride, column_stride;  // bytes
  const int64_t* order;               // null: rows first, first + 1, ...
  int64_t first;
  int64_t rows, columns;
  const T* scale;  // null: no scaling; else padded vectors
  const T* offset;
  T* y;
  int64_t y_stride;
};

/// Normalisation over the batch of the columns [column_begin, column_end), whole granules.
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

/// Random words are blocks of the library's counter layout, see random_block: block = row * blocks
/// a row + column / 4.
struct DropoutArgs {
  uint64_t seed;
  uint32_t use;        // RandomUse::dropout
  uint64_t stream;     // one per layer and step
  uint32_t threshold;  // a word below it drops the value
  int64_t row_begin, row_end, columns;
};

/// What predictions need.
template <class T>
struct InferenceKernels {
  const char* name;
  int64_t panel;          // columns of a weight panel, and rows of a batch panel
  int64_t sparse_panels;  // that products with sparse input work on together

  void (*gather)(const GatherArgs<T>&);
  void (*affine)(const T* x, const T* scale, const T* offset, T* y, int64_t rows, int64_t columns,
                 int64_t stride);

  void (*forward)(const ForwardArgs<T>&);
  /// x and y are padded, x only where `terms` is given: room for a list of the inputs that are not
  /// zero, 16 more than all; null: all terms are summed.
  void (*forward_row)(const RowArgs<T>&, const T* x, T* y, int32_t* terms);
  void (*sparse_forward)(const SparseForwardArgs<T>&);
  void (*embedding_forward)(const EmbeddingForwardArgs<T>&);
  void (*mark)(const T* x, int64_t width, uint64_t* marks);
  void (*marked_forward)(const MarkedForwardArgs<T>&);

  void (*activation_forward)(const ActivationArgs<T>&, const T* z, T* y);
  void (*batch_norm_inference)(const BatchNormArgs<T>&);
  void (*layer_norm_forward)(const LayerNormArgs<T>&);
};

/// What training, losses, tests and measurements need besides.
template <class T>
struct TrainingKernels {
  void (*weight_gradient)(const WeightGradientArgs<T>&);
  void (*sparse_gradient)(const SparseGradientArgs<T>&);
  void (*embedding_gradient)(const EmbeddingGradientArgs<T>&);
  void (*turn_marks)(const TurnMarksArgs&);
  void (*marked_gradient)(const MarkedGradientArgs<T>&);
  void (*input_gradient)(const InputGradientArgs<T>&);
  /// (rows x columns) row-major into batch panels [rows / panel][columns][panel], missing rows
  /// zero.
  void (*transpose)(const T* x, int64_t stride, int64_t rows, int64_t columns, T* panels);
  /// sum over rows, in row order, of columns [column_begin, column_end), whole granules.
  void (*column_sums)(const T* x, int64_t stride, int64_t rows, int64_t column_begin,
                      int64_t column_end, T* sums);

  /// dz = dy * activation'(z); dz may be dy. y is the activation's output, z its input (used where
  /// y does not tell).
  void (*activation_backward)(const ActivationArgs<T>&, const T* z, const T* y, const T* dy, T* dz);

  void (*loss)(const LossArgs<T>&);
  void (*update)(const UpdateRule<T>&, const UpdateArgs<T>&);
  /// sums(j) = sum over rows k, in order, of (g(k, j) + penalty's gradient)^2, clipped as the rule
  /// says.
  void (*squared_column_sums)(const UpdateRule<T>&, const PanelShape&, int64_t panel,
                              const T* weight, const T* g, T l1, T l2, T* sums);

  void (*multiply)(const T* a, const T* b, T* y, int64_t size);

  void (*batch_norm_forward)(const BatchNormArgs<T>&);
  void (*batch_norm_backward)(const BatchNormArgs<T>&);
  void (*layer_norm_backward)(const LayerNormArgs<T>&);
  void (*affine_gradient)(const AffineGradientArgs<T>&);
  void (*dropout_factors)(const DropoutArgs&, T scale, T* factors, int64_t stride);

  void (*math)(MathFunction function, const T* x, T* y, int64_t n);
  /// The fixed tree of kTreeLanes sums.
  T (*tree_sum)(const T* x, int64_t n);
  /// Operations done in `steps` steps at the processor's limit.
  int64_t (*fma_chains)(int64_t steps, T* value);
};

/// One instruction set's kernels for one precision.
template <class T>
struct KernelTable : InferenceKernels<T>, TrainingKernels<T> {};

template <template <class> class Kernels>
struct BothPrecisions {
  Kernels<float> f32;
  Kernels<double> f64;
};

using InferenceSet = BothPrecisions<InferenceKernels>;
using TrainingSet = BothPrecisions<TrainingKernels>;
using KernelSet = BothPrecisions<KernelTable>;

}  // namespace chainrule::kernels
