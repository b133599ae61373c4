// SPDX-License-Identifier: Apache-2.0
// What a plan is made of: stages that read and write tensors, each thread its own slice.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/buffer.hpp"
#include "engine/input/row_order.hpp"
#include "engine/optimizer/update.hpp"
#include "engine/parameters.hpp"
#include "engine/threads/thread_context.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// A row-major buffer between two stages: (rows of the batch x positions) rows of `columns`
/// numbers, padded to kRowAlignment. Elementwise kernels work on the padding too, so its values
/// mean nothing, but in gradients, where they are zero (see TensorMemory). What only the stages of
/// a section need has memory for one block of the batch, which the next block takes over.
template <class T>
struct Tensor {
  T* data = nullptr;
  std::int64_t columns = 0;
  std::int64_t stride = 0;
  std::int64_t positions = 1;
  std::int64_t block = 0;  // rows that there is memory for; 0: all

  T* row(std::int64_t i) const { return data + (block > 0 ? i % block : i) * stride; }
  /// The first position of a row of the batch.
  T* batch_row(std::int64_t i) const { return row(i * positions); }
};

/// What is the same for all stages during one step. One that goes forward alone has neither
/// `gradients` nor `update`.
template <class T>
struct Step {
  std::int64_t rows = 0;  // of this batch
  bool training = false;
  std::uint64_t seed = 0;
  std::uint64_t number = 0;        // optimizer steps so far: dropout's counter
  std::int64_t schedule_step = 0;  // counted from where schedules begin
  std::int64_t steps_per_epoch = 1;
  std::uint64_t epoch = 0;  // of the network, from 0; with the next, the counter of augmentations
  RowOrder places = {};     // of the batch's rows among those of the epoch
  T* gradients = nullptr;   // arena to leave the gradients in, or
  const Update<T>* update = nullptr;          // the optimizer that takes them at once
  kernels::PrefetchCursor* cursor = nullptr;  // of the next batch, this thread's
  std::optional<Range> own = {};              // in a block: those rows of it that the thread owns

  /// The rows of the batch, or of the block at hand, that a thread owns.
  Range rows_of(ThreadSlice slice) const {
    return own ? *own : slice.range(rows, kernels::kRowAlignment<T>);
  }
};

/// What a stage costs in one step.
struct Cost {
  double operations;  // of its products, two a multiply-add
  double bytes;       // read and written
};

/// One fused piece of the plan. `x` is what it reads, `y` what it writes, `dx` and `dy` the loss's
/// gradients with respect to them; `dx.data` is null where no stage needs it. The plan sets them; a
/// stage keeps for the backward pass only what these do not tell. What only a few stages can do is
/// an interface of its own: Joins, AddsToGradient, GivesGradientProduct, BoundsGradient,
/// WorksInBlocks, TakesNonzeros, ReadsRows, Infers, InfersProduct, Streams.
template <class T>
class Stage {
 public:
  virtual ~Stage() = default;

  /// The stage's line in a plan's description, and the columns of y.
  virtual std::string describe() const = 0;
  virtual std::int64_t outputs() const = 0;
  /// Whether `gradients` has anything to do, and what the threads own of y and of dx.
  virtual bool has_parameters() const { return false; }
  virtual Partition partition() const { return Partition::rows; }
  virtual Partition backward_partition() const { return partition(); }

  /// Takes over what may have changed since the last run; before the team starts.
  virtual void refresh() {}

  /// Cost of a step over `rows` rows. Default: elementwise.
  virtual Cost cost(std::int64_t rows) const {
    const std::int64_t forward = x.columns + y.columns;
    const std::int64_t backward = dx.data ? x.columns + dx.columns + dy.columns : 0;
    return {0.0, static_cast<double>(rows * (forward + backward)) * sizeof(T)};
  }

  /// Computes y from x: each thread the outputs that it owns by partition(). It may read what other
  /// threads have written to x if it owns columns, since the plan waits at the barrier before it
  /// then.
  virtual void forward(const Step<T>& step, ThreadContext& context) = 0;
  /// Computes dx from dy: each thread the columns that it owns by backward_partition().
  virtual void backward(const Step<T>& step, ThreadContext& context) = 0;
  /// From x and dy to the parameters' gradients, after the whole backward pass: each thread those
  /// of the parameters that it owns.
  virtual void gradients(const Step<T>& step, ThreadContext& context) {
    (void)step;
    (void)context;
  }

  /// Rows of y in a step, and those that a thread owns: its rows of the batch, with all of their
  /// positions.
  std::int64_t rows(const Step<T>& step) const { return step.rows * y.positions; }
  Range rows_of(const Step<T>& step, ThreadSlice slice) const {
    const Range batch = step.rows_of(slice);
    return {batch.begin * y.positions, batch.end * y.positions};
  }

  Tensor<T> x, y;                // rows x inputs, rows x outputs
  Tensor<T> dx, dy;              // of the same shapes
  std::int64_t layer = 0;        // the description it comes from
  std::int64_t y_positions = 0;  // of a row, where these are not those of the layer
};

/// What a stage implements that reads several tensors, in the order of its node's inputs. `x` and
/// `dx` of the stage are the first ones.
template <class T>
class Joins {
 public:
  std::vector<Tensor<T>> xs, dxs;

  /// Whether the gradient with respect to an input is that of the output as it is. Where the plan
  /// can use dy itself, `dxs` has no memory for it.
  virtual bool passes_gradient(std::size_t input) const {
    (void)input;
    return false;
  }
  /// Whether the output is the sum of the inputs.
  virtual bool is_sum() const { return false; }

 protected:
  ~Joins() = default;
};

/// What a stage implements that can add to its dx as it writes it.
template <class T>
class AddsToGradient {
 public:
  Tensor<T> more;  // of the shape of dx; null: nothing

 protected:
  ~AddsToGradient() = default;
};

/// What a stage implements whose passes can be made for some rows of the batch at a time
/// (Step::own), so that what one stage writes is still in a cache when the next one reads it. It
/// owns rows, and what it works out of a row depends on no other.
template <class T>
class WorksInBlocks {
 public:
  /// Each thread its part of what the pass needs; behind it all threads wait, and then come the
  /// blocks.
  virtual void prepare_forward(ThreadSlice) {}
  virtual bool prepares_forward() const { return false; }
  virtual void prepare_backward(ThreadSlice) {}

  /// Whether the backward pass, or the gradients, read x and y.
  virtual bool reads_x_again() const { return true; }
  virtual bool reads_y_again() const { return true; }

  /// `gradients` in two parts. The first adds to a slice of the gradients of the parameters what
  /// these rows give, whose x and dy are there. It is called for any slice by whichever thread owns
  /// the rows, in the order of the rows, of which the first is 0.
  virtual void sum_gradients(Range rows, ThreadSlice slice) {
    (void)rows;
    (void)slice;
  }
  virtual void store_gradients(const Step<T>& step, ThreadSlice slice) {
    (void)step;
    (void)slice;
  }

 protected:
  ~WorksInBlocks() = default;
};

/// The gradients of a stage that row i of the batch alone gives: x(i) dy(i)^T for the weight, and
/// dy(i) for the bias.
template <class T>
struct GradientProduct {
  const Parameter* weight = nullptr;
  const Parameter* bias = nullptr;  // null: none
  Tensor<T> x, dy;                  // of one position each; x may have no memory
  bool shares = false;              // an earlier stage has the same parameters
};

/// What a stage implements whose gradients are such a product.
template <class T>
class GivesGradientProduct {
 public:
  virtual GradientProduct<T> gradient_product() const = 0;

 protected:
  ~GivesGradientProduct() = default;
};

/// What a stage implements whose gradients are not bounded by its x and dy.
class BoundsGradient {
 public:
  /// A bound of the gradients' 2-norm for `rows` rows of a batch, behind the backward pass.
  virtual double gradient_bound(std::int64_t rows) = 0;

 protected:
  ~BoundsGradient() = default;
};

/// Stores a parameter's gradient entries [first, first + size), applies them to the parameter, or
/// both, as the step says; `g` must not be the arena's. Entries count in the parameter's panels,
/// with their padding, so a thread that owns whole vectors of columns shares no entry with another
/// one.
template <class T>
inline void store_or_apply_gradient(const Step<T>& step, const Parameter& p, std::int64_t first,
                                    const T* g, std::int64_t size) {
  if (step.gradients) std::copy_n(g, size, step.gradients + p.offset + first);
  if (step.update) step.update->apply(p, first, g, size);
}

}  // namespace chainrule::engine
