// SPDX-License-Identifier: Apache-2.0
// What a plan is made of: stages that read and write tensors, each thread its own slice.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "chainrule/activation.hpp"
#include "engine/buffer.hpp"
#include "engine/optimizer/update.hpp"
#include "engine/parameters.hpp"
#include "engine/threads/threads.hpp"
#include "kernels/table.hpp"

namespace chainrule {
struct RowsView;
}

namespace chainrule::engine {

/// A row-major buffer between two stages; rows are padded to kRowAlignment.
template <class T>
struct Tensor {
  T* data = nullptr;
  std::int64_t columns = 0;
  std::int64_t stride = 0;

  T* row(std::int64_t i) const { return data + i * stride; }
};

/// A half-open range of the outputs that one thread owns.
struct Range {
  std::int64_t begin;
  std::int64_t end;

  std::int64_t size() const { return end - begin; }
};

/// Which thread of how many; cuts any number of items into contiguous slices.
struct ThreadSlice {
  int index;
  int count;

  Range range(std::int64_t items) const {
    return {items * index / count, items * (index + 1) / count};
  }

  /// In units of `unit`, so that no two threads write to one cache line or vector.
  Range range(std::int64_t items, std::int64_t unit) const {
    const Range r = range((items + unit - 1) / unit);
    return {std::min(items, r.begin * unit), std::min(items, r.end * unit)};
  }
};

/// What outputs a stage's threads own: rows of the batch, or columns over the whole batch.
/// Stages that own rows follow each other without a barrier.
enum class Partition { rows, columns };

/// One thread's context of a step: waits at the barrier where what comes next may read what other
/// threads own.
class ThreadContext {
 public:
  explicit ThreadContext(Team team) : team_(team) {}

  ThreadSlice slice() const { return {team_.index, team_.size}; }
  bool first_thread() const { return team_.index == 0; }

  void sync_for(Partition next) {
    if (next == Partition::columns || last_ == Partition::columns) team_.barrier.wait();
    last_ = next;
    can_skip_barrier_ = false;
  }

  /// Lets sync_for_columns_if_needed() skip its barrier: what the thread reads after it the thread
  /// has written itself, and what it writes there no other thread still reads.
  void allow_barrier_skip() { can_skip_barrier_ = true; }
  void sync_for_columns_if_needed() {
    if (!can_skip_barrier_) team_.barrier.wait();
    last_ = Partition::columns;
    can_skip_barrier_ = false;
  }

  /// Before a batch of another size, whose rows are sliced differently.
  void barrier() {
    team_.barrier.wait();
    last_ = Partition::rows;
  }

 private:
  Team team_;
  Partition last_ = Partition::rows;
  bool can_skip_barrier_ = false;
};

/// What is the same for all stages during one step.
template <class T>
struct Step {
  std::int64_t rows = 0;  // of this batch
  bool training = false;
  std::uint64_t seed = 0;
  std::uint64_t number = 0;                   // optimizer steps so far: dropout's counter
  T* gradients = nullptr;                     // arena to leave the gradients in, or
  const Update<T>* update = nullptr;          // the optimizer that takes them at once
  kernels::PrefetchCursor* cursor = nullptr;  // of the next batch, this thread's

  Range rows_of(ThreadSlice slice) const { return slice.range(rows, kernels::kRowAlignment<T>); }
};

/// What a stage costs in one step.
struct Cost {
  double operations;  // of its products, two a multiply-add
  double bytes;       // read and written
};

/// What the products of a step with `x` cost by either path of the input, in units of `Cost`.
struct PathCosts {
  double sparse;
  double dense;
};

/// What a stage of an InferencePlan reads and writes, in memory that is one caller's alone.
template <class T>
struct InferArgs {
  std::int64_t rows;
  const T* x;
  std::int64_t x_stride;
  T* y;  // rows x outputs; x itself, with its stride, for stages that work in place
  std::int64_t y_stride;
  void* scratch;  // as many bytes as the stage asked for
};

template <class T>
class SparseInput;
template <class T>
class NonzeroMask;

/// One fused piece of the plan. `x` is what it reads, `y` what it writes, `dx` and `dy` the loss's
/// gradients with respect to them; `dx.data` is null where no stage needs it.
template <class T>
class Stage {
 public:
  virtual ~Stage() = default;

  virtual std::string describe() const = 0;
  virtual Partition partition() const { return Partition::rows; }
  virtual Partition backward_partition() const { return partition(); }
  /// Whether each of `threads` threads updates just the parameters that it reads in the forward
  /// pass.
  virtual bool updates_what_it_reads(int threads) const {
    (void)threads;
    return false;
  }
  virtual std::int64_t outputs() const = 0;
  virtual bool has_parameters() const { return false; }

  /// Cost of a step over `rows` rows. Default: elementwise.
  virtual Cost cost(std::int64_t rows) const {
    const std::int64_t forward = x.columns + y.columns;
    const std::int64_t backward = dx.data ? x.columns + dx.columns + dy.columns : 0;
    return {0.0, static_cast<double>(rows * (forward + backward)) * sizeof(T)};
  }

  /// Whether the stage can work from a sparse `x`.
  virtual bool takes_sparse() const { return false; }
  /// The matrix whose gradients it then gives for the inputs that have entries alone.
  virtual const Parameter* sparse_weight() const { return nullptr; }
  /// Costs of a step over `rows` rows, of whose entries the fraction `density` is nonzero.
  virtual PathCosts path_costs(std::int64_t rows, double density) const {
    (void)rows;
    (void)density;
    return {};
  }

  /// Whether the stage, which must be the first, reads rows where the caller has them; its `x` then
  /// has no memory.
  virtual bool reads_rows() const { return false; }
  /// Reads a thread's rows of a batch, of which row i is row order[first + i] of `source` (null:
  /// first + i).
  virtual void read(const RowsView& source, const std::int64_t* order, std::int64_t first,
                    Range rows, ThreadSlice slice) {
    (void)source;
    (void)order;
    (void)first;
    (void)rows;
    (void)slice;
  }
  /// Has `read` list the nonzeros of `y` and not fill it; null where it cannot.
  virtual SparseInput<T>* list_entries() { return nullptr; }
  /// Whether d loss / d x may be something else than zero.
  virtual bool passes_gradient() const { return true; }

  virtual void forward(const Step<T>& step, ThreadSlice slice) = 0;
  virtual void backward(const Step<T>& step, ThreadSlice slice) = 0;

  /// The parameters' gradients, after the whole backward pass: every thread for the parameters it
  /// owns.
  virtual void gradients(const Step<T>& step, ThreadSlice slice) {
    (void)step;
    (void)slice;
  }

  /// The forward pass of an InferencePlan: any number of threads at once, each with arguments of
  /// its own, while `x`, `y`, `dx` and `dy` have no meaning.
  virtual void infer(const InferArgs<T>& args) const noexcept = 0;
  /// Whether most of what `infer` writes is zero.
  virtual bool infers_zeros() const { return false; }
  /// Whether `infer` writes its rows over those that it reads.
  virtual bool infers_in_place() const { return true; }
  virtual std::int64_t infer_scratch_bytes(std::int64_t rows) const {
    (void)rows;
    return 0;
  }
  /// Whether `infer` from now on does the activation behind the stage as well.
  virtual bool fuse_activation(const Activation& next) {
    (void)next;
    return false;
  }
  /// What the stage is for a single row, where that is a product; valid as long as the parameters.
  virtual std::optional<kernels::RowArgs<T>> row_product() const { return std::nullopt; }

  /// x as one thread reads it, its nonzero mask, and the slice that transposes that mask.
  const T* x_of(ThreadSlice slice) const { return x.data + private_x_stride * slice.index; }
  NonzeroMask<T>& mask_of(ThreadSlice slice) const {
    return mask[private_x_stride > 0 ? slice.index : 0];
  }
  ThreadSlice among_readers(ThreadSlice slice) const {
    return private_x_stride > 0 ? ThreadSlice{0, 1} : slice;
  }

  Tensor<T> x, y, dx, dy;
  SparseInput<T>* sparse = nullptr;  // of x, which is then not filled
  NonzeroMask<T>* mask = nullptr;    // of x, where its zeros are to be left out
  std::int64_t private_x_stride =
      0;                   // of threads' private copies of x, each with its mask; 0: none
  std::int64_t layer = 0;  // the description it comes from
};

/// Stores a parameter's gradient entries [first, first + size), applies them to the parameter, or
/// both, as the step says; `g` must not be the arena's.
template <class T>
inline void store_or_apply_gradient(const Step<T>& step, const Parameter& p, std::int64_t first,
                                    const T* g, std::int64_t size) {
  if (step.gradients) std::copy_n(g, size, step.gradients + p.offset + first);
  if (step.update) step.update->apply(p, first, g, size);
}

}  // namespace chainrule::engine
