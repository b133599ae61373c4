// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chainrule/data.hpp"
#include "chainrule/network.hpp"
#include "engine/buffer.hpp"
#include "engine/input/image_augmenter.hpp"
#include "engine/input/nonzero_mask.hpp"
#include "engine/input/reads_rows.hpp"
#include "engine/input/row_order.hpp"
#include "engine/input/sparse_input.hpp"
#include "engine/input/takes_nonzeros.hpp"
#include "engine/plan_options.hpp"
#include "engine/stages/affine.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {

/// One of the stages that an input goes through first.
template <class T>
struct FirstStage {
  Stage<T>* stage;
  bool output_read_in_gradients;  // by a stage behind it
};

/// The way from the caller's rows to what the first stage of a plan reads: gathers the rows of a
/// batch, converts and scales them, and decides whether zeros are left out. A batch arrives as one
/// of
///   - a tensor (rows x columns), scaled by a first AffineStage in passing,
///   - that tensor with a mask of its nonzeros, or bytes with such a mask,
///   - lists of the nonzeros, from compressed rows or from categories,
///   - that tensor of compressed rows written out, where several stages read them,
///   - whatever a first stage reads by itself (ReadsRows).
/// Those members that take a ThreadContext or a ThreadSlice are called by every thread of a team.
template <class T>
class BatchInput {
 public:
  /// For rows of `columns` columns, which `readers` read, and which go through these stages, where
  /// one alone reads them, before another one does. An AffineStage may stand there beside readers
  /// of the caller's rows.
  BatchInput(const kernels::KernelTable<T>& kernels, const PlanOptions& options,
             std::int64_t columns, const std::vector<Stage<T>*>& readers,
             const std::vector<FirstStage<T>>& stages);

  /// Has the images of this input augmented, as the options say; rows of another shape stay.
  /// number: the input's. To be called before all else.
  void augment(const Node& node, std::size_t number);

  // What the plan has to know of its first stages.

  /// Whether the first stage has done its work when a batch has been read, with the tensor read in
  /// place of its output.
  bool fuses_affine() const { return affine_ != nullptr; }
  /// Whether the first stage gives lists of nonzeros, so that its output needs no memory.
  bool lists_first_output() const { return lists_entries_; }
  /// Whether d loss / d x may be something else than zero.
  bool passes_gradient() const { return passes_gradient_; }
  /// The tensor of the batch; without memory until choose_path has found that it is needed.
  const Tensor<T>& x() const { return x_; }

  // To be called before the team starts:

  /// Throws Error, which says that `what` does, unless the first layer can work from lists of
  /// nonzeros.
  void check_takes_sparse(const std::string& what) const;
  /// Decides how rows of x reach the first stage, and makes room for them. Throws Error where x or
  /// the choice does not go with the layers.
  void choose_path(const RowsView& x, InputSparsity sparsity);
  /// The path chosen last; nullopt where there was no choice.
  const std::optional<InputPath>& path() const { return path_; }
  /// The matrix whose gradients come from lists of nonzeros; null if all come from tensors.
  const Parameter* sparse_weight() const;

  // To be called by the threads of a step:

  /// The rows of a batch that a thread will gather.
  Range loaded_rows(const RowsView& x, std::int64_t rows, ThreadSlice slice) const;
  /// Reads a batch, row i of which is row order[i] of x.
  void load(ThreadContext& context, const Step<T>& step, const RowsView& x, RowOrder order);
  /// Whether this stage takes nonzeros, so that sync_for and transpose go with its forward pass.
  bool feeds(const Stage<T>& stage) const { return &stage == fed_; }
  /// To be called before and after the forward pass of the stage that takes nonzeros.
  void sync_for(ThreadContext& context, Partition partition) const;
  void transpose(const Step<T>& step, ThreadSlice slice);
  /// Behind the gradients of a step that updates: whether each thread has updated just what it
  /// reads in its next forward pass.
  bool can_skip_barrier(int threads) const;

  // To be called after a step:

  /// Whether compressed rows have been changed while they were read; throws Error when they have.
  bool changed() const;
  void check_unchanged() const;
  /// Whether this stage reads the batch otherwise than from its tensor x, and the 2-norm of what it
  /// reads then, rounded up.
  bool leaves_out_table(const Stage<T>& stage) const {
    return feeds(stage) && (taker_->sparse || has_bytes());
  }
  double norm(std::int64_t rows) const;
  /// Whether a batch is kept as bytes, which are never non-finite, and x() is not filled.
  bool has_bytes() const { return taker_ && taker_->mask && taker_->mask->has_bytes(); }

 private:
  // What choose_path is made of.
  bool private_inputs_pay() const;
  void make_room_for_tables();
  /// Whether compressed rows become a tensor: no stage alone decides how it reads them.
  bool expands() const { return !first_; }
  void check_takes_compressed() const;
  void use_lists(const RowsView& x, double density);
  void use_masks(const RowsView& x, double density);
  bool can_keep_bytes(const RowsView& x) const;
  /// (256) the numbers that bytes stand for, with the scale that the layers have now.
  const T* byte_values();
  /// The fraction of nonzeros among some rows of x, as they reach the first stage.
  double density_of_sample(const RowsView& x);
  InputPath path_for(InputPath::Reason reason, double density) const;
  /// Whether the gradients of the first layer's weights go by column, for which all rows are
  /// needed.
  bool needs_transpose() const {
    return options_.backward && taker_ && (taker_->sparse || taker_->mask);
  }
  // What load is made of, each for rows that the calling thread owns.
  void gather(const RowsView& x, RowOrder order, std::int64_t rows, T* to);
  void read(const Step<T>& step, const RowsView& x, RowOrder order, Range rows, T* to, int thread);
  void load_expanded(Range rows, const RowsView& x, RowOrder order, ThreadSlice slice);
  void load_masked(const Step<T>& step, Range rows, const RowsView& x, RowOrder order,
                   ThreadSlice slice, T* to);

  const kernels::KernelTable<T>& kernels_;
  PlanOptions options_;
  Tensor<T> x_;
  std::optional<ImageAugmenter<T>> augmenter_;
  AffineStage<T>* affine_ = nullptr;  // the first stage, applied while gathering
  ReadsRows<T>* reader_ = nullptr;    // the first stage, which reads by itself
  std::vector<ReadsRows<T>*> among_;  // those of several first stages that do
  bool passes_gradient_ = false;
  TakesNonzeros<T>* taker_ = nullptr;  // the first stage that has work left, if it takes nonzeros
  const Stage<T>* fed_ = nullptr;      // the taker as a stage
  const Stage<T>* first_ = nullptr;    // the first that an AffineStage does not stand for
  bool lists_entries_ = false;         // the reader lists nonzeros for the taker
  bool private_inputs_ = false;        // every thread has a tensor x of its own
  bool output_read_in_gradients_ = false;  // by the stage behind the taker
  Buffer<T> memory_;                       // of x
  std::unique_ptr<SparseInput<T>> lists_;  // once compressed rows have come
  Buffer<double> expanded_;                // once such rows are written out: one for each thread
  bool rows_changed_ = false;              // since they were checked; by any thread
  std::vector<NonzeroMask<T>> masks_;      // once a table's zeros have been left out
  Buffer<T> byte_values_;                  // the number that each of the 256 bytes stands for
  std::optional<InputPath> path_;
};

}  // namespace chainrule::engine
