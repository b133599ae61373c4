// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "chainrule/graph.hpp"
#include "chainrule/network.hpp"
#include "engine/input/batch_input.hpp"
#include "engine/plan_options.hpp"
#include "engine/stage_graph.hpp"
#include "engine/stages/affine.hpp"
#include "engine/stages/stage.hpp"
#include "engine/stages/stages.hpp"
#include "engine/tensor_memory.hpp"
#include "engine/threads/ticket_locks.hpp"

namespace chainrule::engine {

/// A graph compiled to stages over buffers that are all allocated here; any batch up to its size
/// runs through it: load, forward, backward, gradients. The members that take a ThreadContext are
/// called by every thread of a team.
template <class T>
class Plan {
 public:
  Plan(const kernels::KernelTable<T>& kernels, const Graph& graph, Parameters<T>& parameters,
       const PlanOptions& options);

  /// Takes over what may have changed since the last run; before the team starts.
  void refresh();
  /// Decides how rows of x reach the first stages; before the team starts.
  void choose_path(const Inputs& x, InputSparsity sparsity);
  /// Throws Error, which says that `what` does, unless each input goes to a layer that can work
  /// from lists of nonzeros.
  void check_takes_sparse(const std::string& what) const;
  /// The matrix whose gradients come from lists of nonzeros; null if all come from tensors.
  const Parameter* sparse_weight() const;

  /// Reads a batch, row i of which is row order[i] of x.
  void load(ThreadContext& context, const Step<T>& step, const Inputs& x, RowOrder order);
  /// The rows of a batch that a thread will gather.
  Range loaded_rows(const Inputs& x, std::int64_t rows, ThreadSlice slice) const {
    return inputs_[0]->loaded_rows(x[0], rows, slice);
  }
  /// All stages in their order. Behind it each thread may read the results of its own rows.
  void forward(ThreadContext& context, const Step<T>& step);
  /// All stages that gradients pass through or end in, in the reverse order: from result_gradient
  /// to input_gradient.
  void backward(ThreadContext& context, const Step<T>& step);
  /// Only after context.sync_for(Partition::columns): it reads what all threads have written.
  void gradients(ThreadContext& context, const Step<T>& step);
  /// All gradients as products, where they are and each row has one position and is there as a
  /// table; otherwise none. After choose_path.
  std::vector<GradientProduct<T>> gradient_products() const;
  /// Whether rows have been changed while they were read; throws Error when they have.
  void check_unchanged() const;
  bool changed() const;
  /// What calls the functions of the caller's that are part of a step.
  FunctionCalls& calls() { return calls_; }

  /// What a loss reads, and where its gradient goes: an output of the graph, or the input of an
  /// activation that the loss contains.
  std::size_t results() const { return graph_.results.size(); }
  /// The columns of all results, with all of their positions.
  std::int64_t result_columns() const { return result_columns_; }
  const Tensor<T>& result(std::size_t output = 0) const {
    return tensors_[graph_.results[output]].y;
  }
  const Tensor<T>& result_gradient(std::size_t output = 0) const {
    return tensors_[graph_.results[output]].dy;
  }
  /// What a layer gave; without memory where the next one reads its nonzeros instead.
  const Tensor<T>& output_of(std::int64_t layer) const;
  std::size_t inputs() const { return inputs_.size(); }
  const Tensor<T>& input_gradient(std::size_t input = 0) const {
    return tensors_[graph_.inputs[input]].dy;
  }

  std::int64_t batch_size() const { return options_.batch_size; }
  int threads() const { return options_.threads; }
  const Augmentations& augmentations() const { return options_.augment; }

  /// The first layer whose output in rows below `rows` holds a value that is not finite; -1 if none
  /// does.
  std::int64_t first_bad_layer(std::int64_t rows);
  /// Not less than any number in the parameters' gradients that `gradients` would give of `rows`
  /// rows, from what forward and backward have left; may be infinite or NaN where such numbers are
  /// near.
  double gradient_bound(std::int64_t rows) const;
  PlanInfo describe() const;

 private:
  /// Where a tensor and its gradient lie.
  struct TensorMemoryUse {
    Tensor<T> y, dy;
    bool wants_gradient = false;
    bool has_memory = true;
  };
  /// What is to be done for a stage besides its own work.
  struct Op {
    bool backward = false;          // gradients pass through it, or end in its parameters
    bool adds = false;              // there is something in the next two
    std::vector<Tensor<T>> to_add;  // to the gradients of what it reads; null where it writes these
    /// Gradients that pass through a later stage, to be added to those that this one has written.
    struct Passed {
      std::size_t from;  // tensors
      std::size_t to;
    };
    std::vector<Passed> passed;
    std::vector<bool> passes;                // of what it reads: dy itself is used
    BatchInput<T>* input = nullptr;          // feeds it nonzeros
    BatchInput<T>* done_by_input = nullptr;  // has done its work when a batch is read
    WorksInBlocks<T>* in_blocks = nullptr;   // where its section has blocks
    std::size_t section = 0;
  };

  /// Stages [first, last) that a step goes through for some rows of the batch at a time, all of
  /// them before the next rows; or a single one that is given all rows.
  struct Section {
    std::size_t first;
    std::size_t last;
    std::int64_t rows = 0;  // of a block; 0: all
    bool prepares_forward = false;
    bool passes_values = false;  // some tensors have memory for a block alone
    bool is_trained = false;
    std::unique_ptr<TicketLocks> locks = nullptr;  // of parts of its gradients; null: not trained
  };

  // What the constructor is made of, in its order.
  std::vector<FirstStage<T>> first_stages(std::size_t tensor) const;
  void make_inputs(const Graph& graph);
  void find_gradients();
  void allocate_values();
  void allocate_gradients();
  void connect();
  void connect_inputs();
  void find_sections();
  bool stays_in_section(std::size_t writer) const;
  bool is_read_again(std::size_t writer) const;
  WorksInBlocks<T>* block_worker(std::size_t stage) const;
  std::int64_t row_bytes(const Section& section) const;
  Step<T> block_of(const Step<T>& step, const Section& section, std::int64_t begin,
                   ThreadSlice slice) const;

  void forward_blocks(ThreadContext& context, const Step<T>& step, const Section& section);
  void backward_blocks(ThreadContext& context, const Step<T>& step, const Section& section);
  void backward_stage(ThreadContext& context, const Step<T>& step, std::size_t stage);
  bool is_bad(std::size_t stage, Range rows) const;
  void add_gradients(Range rows, std::size_t stage);
  void stage_gradients(ThreadContext& context, const Step<T>& step, std::size_t stage);
  void add_shared_gradients(ThreadContext& context, const Step<T>& step, std::size_t stage);

  // The passes of a step, which delimit the lives of tensors: reading a batch, forward stage by
  // stage, the loss, backward from the last stage to the first, and all gradients of parameters.
  std::int64_t stage_count() const { return static_cast<std::int64_t>(graph_.stages.size()); }
  std::int64_t forward_moment(std::size_t stage) const {
    return static_cast<std::int64_t>(stage) + 1;
  }
  std::int64_t loss_moment() const { return stage_count() + 1; }
  std::int64_t backward_moment(std::size_t stage) const {
    return 2 * stage_count() + 1 - static_cast<std::int64_t>(stage);
  }
  std::int64_t last_moment() const { return 2 * stage_count() + 2; }

  const kernels::KernelTable<T>& kernels_;
  PlanOptions options_;
  const Parameters<T>& parameters_;
  FunctionCalls calls_;
  StageGraph<T> graph_;
  std::int64_t result_columns_ = 0;
  std::vector<Op> ops_;                   // one for each stage
  std::vector<Section> sections_;         // of all stages, in their order
  Step<T> last_step_;                     // of the forward pass
  std::vector<TensorMemoryUse> tensors_;  // one for each tensor
  std::vector<std::unique_ptr<BatchInput<T>>> inputs_;
  TensorMemory<T> value_memory_;
  TensorMemory<T> gradient_memory_;
  Buffer<T> shared_gradients_;  // an arena, for all but the first stage of shared parameters
};

}  // namespace chainrule::engine
