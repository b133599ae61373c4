// SPDX-License-Identifier: Apache-2.0
// What a plan is made of: stages that read and write tensors, each thread its own share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "chainrule/activation.hpp"
#include "engine/buffer.hpp"
#include "engine/parameters.hpp"
#include "engine/threads.hpp"
#include "engine/update.hpp"
#include "kernels/table.hpp"

namespace chainrule {
struct RowsView;
}

namespace chainrule::engine {

/// A row-major buffer between two stages; rows are padded to whole granules.
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

/// Which thread of how many; cuts any number of items into contiguous shares.
struct Share {
  int index;
  int count;

  Range of(std::int64_t items) const {
    return {items * index / count, items * (index + 1) / count};
  }

  /// In units of `unit`, so that no two threads write to one cache line or vector.
  Range of(std::int64_t items, std::int64_t unit) const {
    const Range r = of((items + unit - 1) / unit);
    return {std::min(items, r.begin * unit), std::min(items, r.end * unit)};
  }
};

/// What outputs a stage's threads own: rows of the batch, or columns over the whole batch.
/// Stages that own rows follow each other without a barrier.
enum class Split { rows, columns };

/// One thread's way through a step: waits for the others where what comes next may read what they
/// own.
class Flow {
 public:
  explicit Flow(Team team) : team_(team) {}

  Share share() const { return {team_.index, team_.size}; }
  bool first_thread() const { return team_.index == 0; }

  void enter(Split next) {
    if (next == Split::columns || last_ == Split::columns) team_.barrier.wait();
    last_ = next;
    apart_ = false;
  }

  /// Says that a thread may go on to enter_columns_apart(), since what it reads there it has
  /// written itself, and what it writes there nobody reads any more.
  void leave_apart() { apart_ = true; }
  void enter_columns_apart() {
    if (!apart_) team_.barrier.wait();
    last_ = Split::columns;
    apart_ = false;
  }

  /// Before a batch of another size, whose rows are shared out differently.
  void meet() {
    team_.barrier.wait();
    last_ = Split::rows;
  }

 private:
  Team team_;
  Split last_ = Split::rows;
  bool apart_ = false;
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
  kernels::UpcomingRows* upcoming = nullptr;  // of the next batch, this thread's

  Range rows_of(Share share) const { return share.of(rows, kernels::kGranule<T>); }
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

/// Rows on their way through the stages of a Predictor, in memory that is one caller's alone.
template <class T>
struct Passage {
  std::int64_t rows;
  const T* x;
  std::int64_t x_stride;
  T* y;  // x itself, with its stride, for stages that work in place
  std::int64_t y_stride;
  void* scratch;  // as many bytes as the stage asked for
};

template <class T>
class SparseInput;
template <class T>
class NonzeroMarks;

/// One fused piece of the plan. `x` is what it reads, `y` what it writes, `dx` and `dy` the loss's
/// gradients with respect to them; `dx.data` is null where nobody needs it.
template <class T>
class Stage {
 public:
  virtual ~Stage() = default;

  virtual std::string describe() const = 0;
  virtual Split split() const { return Split::rows; }
  virtual Split backward_split() const { return split(); }
  /// Whether each of so many threads updates just the parameters that it reads in the forward pass.
  virtual bool keeps_parameters_apart(int threads) const {
    (void)threads;
    return false;
  }
  virtual std::int64_t outputs() const = 0;
  virtual bool has_parameters() const { return false; }

  /// Of a step over so many rows; by default that of an elementwise stage.
  virtual Cost cost(std::int64_t rows) const {
    const std::int64_t forward = x.columns + y.columns;
    const std::int64_t backward = dx.data ? x.columns + dx.columns + dy.columns : 0;
    return {0.0, static_cast<double>(rows * (forward + backward)) * sizeof(T)};
  }

  /// Whether the stage can work from a sparse `x`.
  virtual bool takes_sparse() const { return false; }
  /// The matrix whose gradients it then gives for the inputs that have entries alone.
  virtual const Parameter* sparse_weight() const { return nullptr; }
  /// Of a step over so many rows, where this share of their entries is not zero.
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
                    Range rows, Share share) {
    (void)source;
    (void)order;
    (void)first;
    (void)rows;
    (void)share;
  }
  /// Has `read` list the entries of `y` that are not zero, and not fill it; null where it cannot.
  virtual SparseInput<T>* list_entries() { return nullptr; }
  /// Whether d loss / d x may be something else than zero.
  virtual bool passes_gradient() const { return true; }

  virtual void forward(const Step<T>& step, Share share) = 0;
  virtual void backward(const Step<T>& step, Share share) = 0;

  /// The parameters' gradients, after the whole backward pass: every thread for the parameters it
  /// owns.
  virtual void gradients(const Step<T>& step, Share share) {
    (void)step;
    (void)share;
  }

  /// The forward pass of a Predictor: any number of threads at once, each with a passage of its
  /// own, while `x`, `y`, `dx` and `dy` have no meaning.
  virtual void infer(const Passage<T>& passage) const noexcept = 0;
  /// Whether most of what `infer` writes is zero.
  virtual bool infers_zeros() const { return false; }
  /// Whether `infer` writes its rows over those that it reads.
  virtual bool infers_in_place() const { return true; }
  virtual std::int64_t infer_scratch_bytes(std::int64_t rows) const {
    (void)rows;
    return 0;
  }
  /// Whether `infer` from now on does the activation behind the stage as well.
  virtual bool absorb(const Activation& next) {
    (void)next;
    return false;
  }
  /// What the stage is for a single row, where that is a product; valid as long as the parameters.
  virtual std::optional<kernels::RowArgs<T>> row_product() const { return std::nullopt; }

  /// x as one thread reads it, and its marks as that thread must count itself.
  const T* x_of(Share share) const { return x.data + x_apart * share.index; }
  NonzeroMarks<T>& marks_of(Share share) const { return marks[x_apart > 0 ? share.index : 0]; }
  Share among_readers(Share share) const { return x_apart > 0 ? Share{0, 1} : share; }

  Tensor<T> x, y, dx, dy;
  SparseInput<T>* sparse = nullptr;  // of x, which is then not filled
  NonzeroMarks<T>* marks = nullptr;  // of x, where its zeros are to be left out
  std::int64_t x_apart = 0;          // of threads' own copies of x, each with its marks; 0: none
  std::int64_t layer = 0;            // the description it comes from
};

/// Hands a parameter's gradient entries [first, first + size) to whoever wants them; `g` must not
/// be the arena's.
template <class T>
inline void deliver(const Step<T>& step, const Parameter& p, std::int64_t first, const T* g,
                    std::int64_t size) {
  if (step.gradients) std::copy_n(g, size, step.gradients + p.offset + first);
  if (step.update) step.update->apply(p, first, g, size);
}

}  // namespace chainrule::engine
