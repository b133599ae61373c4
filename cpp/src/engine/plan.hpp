// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chainrule/data.hpp"
#include "chainrule/error.hpp"
#include "chainrule/layer.hpp"
#include "chainrule/loss.hpp"
#include "chainrule/network.hpp"
#include "engine/input/nonzero_mask.hpp"
#include "engine/input/sparse_input.hpp"
#include "engine/stages/affine.hpp"
#include "engine/stages/stage.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {

/// What a plan is compiled for, besides the network.
struct PlanOptions {
  std::int64_t batch_size = 1;
  int threads = 1;  // most that a team may have
  bool backward = false;
  bool input_gradient = false;
  bool whole_steps = false;    // one team goes all the way from load to gradients
  const Loss* loss = nullptr;  // lets the loss replace a last activation that it contains
};

/// A network compiled to stages over buffers that are all allocated here; any batch up to its size
/// runs through it. The members that take a Flow are called by every thread of a team.
template <class T>
class Plan {
 public:
  Plan(const kernels::KernelTable<T>& kernels, const std::vector<AnyLayer>& layers,
       Parameters<T>& parameters, std::int64_t inputs, const PlanOptions& options);

  /// Takes over what may have changed since the last run; before the team starts.
  void refresh();

  /// Throws Error, which says that `what` does, unless the first layer can work from lists of
  /// nonzeros.
  void check_takes_sparse(const std::string& what) const;

  /// Decides whether the first layer leaves out zeros of the input, and makes room for it; before
  /// the team starts.
  void choose_path(const RowsView& x, InputSparsity sparsity);

  /// The matrix whose gradients come from lists of entries, null if all come from tables.
  const Parameter* sparse_weight() const {
    return first_ && (reader_ || first_->sparse) ? first_->sparse_weight() : nullptr;
  }

  /// Throws Error when compressed rows have been changed while they were read.
  void check_unchanged() const {
    if (sparse_ && first_ && first_->sparse == sparse_.get() && sparse_->changed())
      throw Error(
          "sparse x was changed while it was read: it has column indices out of range, or "
          "out of order");
  }

  /// The rows of a batch that a thread will gather.
  Range loaded_rows(const RowsView& x, std::int64_t rows, ThreadSlice slice) const;
  /// Gathers rows [first, first + step.rows) of `order` into the input.
  void load(ThreadContext& context, const Step<T>& step, const RowsView& x,
            const std::int64_t* order, std::int64_t first);
  void forward(ThreadContext& context, const Step<T>& step);
  void backward(ThreadContext& context, const Step<T>& step);
  /// Only after flow.enter(Split::columns): it reads what all threads left behind.
  void gradients(ThreadContext& context, const Step<T>& step);

  /// What the loss reads, and where its gradient goes: the output, or the input of an activation
  /// that the loss contains.
  const Tensor<T>& result() const { return values_.back(); }
  const Tensor<T>& result_gradient() const { return gradients_.back(); }
  /// What a layer gave; without memory where the next one reads its entries instead.
  const Tensor<T>& output_of(std::int64_t layer) const;
  const Tensor<T>& input_gradient() const { return gradients_.front(); }

  std::int64_t batch_size() const { return options_.batch_size; }
  int threads() const { return options_.threads; }

  /// The first layer whose output in rows below `rows` holds a value that is not finite; -1 if none
  /// does.
  std::int64_t first_bad_layer(std::int64_t rows) const;
  PlanInfo describe() const;

 private:
  Tensor<T> new_tensor(std::int64_t columns, int copies = 1);
  void connect(std::int64_t inputs, bool input_gradient);
  /// Rows [first, first + rows) of `order` as the first stage wants them.
  void gather(const RowsView& x, const std::int64_t* order, std::int64_t first, std::int64_t rows,
              T* to);
  double density_of_sample(const RowsView& x);
  /// Whether every thread gathers a private copy of the input. Where all threads read all rows,
  /// that costs less than to write what another processor's cache holds, and to wait for it.
  bool private_inputs_pay() const;
  bool first_updates_what_it_reads(int threads) const;
  void make_room_for_tables();
  void check_takes_compressed() const;
  void use_entries(const RowsView& x, double density);
  void use_masks(const RowsView& x, double density);
  /// Whether each entry of x is a byte that stands for one number, wherever it is.
  bool can_keep_bytes(const RowsView& x) const;
  const T* byte_values();
  InputPath path(InputPath::Reason reason, double density) const;

  const kernels::KernelTable<T>& kernels_;
  PlanOptions options_;
  Stages<T> stages_;
  AffineStage<T>* fused_input_ = nullptr;   // applied while gathering
  Stage<T>* first_ = nullptr;               // the first that does work, if it takes sparse input
  Stage<T>* reader_ = nullptr;              // reads the caller's rows by itself
  bool lists_entries_ = false;              // and the next stage works from their entries
  std::unique_ptr<SparseInput<T>> sparse_;  // once compressed rows have come
  std::vector<NonzeroMask<T>> masks_;       // once a table's zeros have been left out
  Buffer<T> byte_values_;                   // what each byte of such a table stands for
  std::optional<InputPath> path_;           // as chosen last
  bool private_inputs_ = false;             // of tables, one for each thread
  std::size_t lowest_backward_ = 0;         // no stage below needs gradients
  std::vector<Tensor<T>> values_;           // input, then each stage's output
  std::vector<Tensor<T>> gradients_;
  std::vector<Buffer<T>> buffers_;
};

}  // namespace chainrule::engine
