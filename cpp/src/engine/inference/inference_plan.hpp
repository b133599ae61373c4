// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "chainrule/graph.hpp"
#include "engine/buffer.hpp"
#include "engine/inference/infers.hpp"
#include "engine/inference/small_weights.hpp"
#include "engine/parameters.hpp"
#include "engine/stage_graph.hpp"
#include "engine/stages/affine.hpp"

namespace chainrule::engine {

/// One caller's memory for inference of up to `rows` rows: `slots` tensors of rows x values_of_row
/// numbers, the addresses of tensors that one op joins, a list of the nonzero inputs of a single
/// row, and what stages ask for. Of a plan that streams also what they keep from row to row.
template <class T>
struct InferWorkspace {
  InferWorkspace(std::int64_t rows_, std::int64_t slots, std::int64_t values_of_row,
                 std::int64_t widest, std::size_t most_joined, std::int64_t scratch_bytes,
                 std::int64_t stream_size)
      : rows(rows_),
        slot_size(rows_ * values_of_row),
        values(checked_product(slot_size, slots)),
        joined(most_joined),
        terms(padded<std::int32_t>(widest) + kernels::kRowAlignment<std::int32_t>),
        scratch(scratch_bytes),
        kept(stream_size) {
    // Written to now, since calls may not wait for the system's pages.
    values.clear();
    scratch.clear();
    kept.clear();
  }

  T* slot(std::size_t index) {
    return values.data() + static_cast<std::int64_t>(index) * slot_size;
  }

  /// Begins another sequence.
  void reset() noexcept {
    kept.clear();
    position = {};
  }
  /// Goes on where another workspace of the same plan is.
  void continue_from(const InferWorkspace& other) noexcept {
    kept.copy_from(other.kept);
    position = other.position;
    weights = other.weights;
  }

  std::int64_t rows;
  std::int64_t slot_size;
  Buffer<T> values;
  std::vector<const T*> joined;
  Buffer<std::int32_t> terms;
  Buffer<std::uint8_t> scratch;
  Buffer<T> kept;             // of all ops that stream
  StreamPosition position{};  // of the next row
  std::int64_t weights = 0;   // by which the row before went
};

/// The stages of a network for inference alone, with a copy of its weights. Between two calls of
/// `copy_from` it does not change, so that any number of threads may run rows through it.
template <class T>
class InferencePlan {
 public:
  /// Throws Error where small weights are asked for that there are not. If it `streams`, rows are
  /// sequences of one position, and one that is run goes on where the row before it ended.
  InferencePlan(const kernels::KernelTable<T>& kernels, const Graph& graph,
                const Quantization& quantization = {}, bool streams = false);

  /// Takes over the weights of a network of the same layers; while no thread runs rows.
  void copy_from(const Buffer<T>& values);

  /// Memory for calls of run.
  InferWorkspace<T> workspace(std::int64_t rows) const;

  /// The last activation before an only output, linear where the network ends in something else.
  Activation::Kind last_activation() const { return last_activation_; }

  /// What an output is of: its values lie in a slot of the workspace, at a stride.
  struct Result {
    std::size_t slot;
    std::int64_t columns;
    std::int64_t stride;
  };
  const std::vector<Result>& results() const { return results_; }
  std::int64_t products() const { return products_; }
  std::int64_t widest_row() const { return values_of_row_; }

  /// Runs up to workspace.rows rows, the first of which lies at `in` (strides count values): the
  /// columns of all inputs side by side.
  void run(const T* in, std::int64_t in_stride, std::int64_t rows,
           InferWorkspace<T>& workspace) const noexcept;

  /// The same, which appends what enters each product to an item of `entering`.
  void observe(const T* in, std::int64_t in_stride, std::int64_t rows, InferWorkspace<T>& workspace,
               std::vector<std::vector<T>>& entering) const;

 private:
  /// An input: where its columns begin in a row, and where they go.
  struct Input {
    std::int64_t first;
    std::int64_t columns;
    std::size_t slot;
    AffineStage<T>* affine;  // applied while the rows are copied; null: none
  };
  /// A stage with what is known of it beforehand.
  struct InferOp {
    const Infers<T>* stage;
    std::size_t x;
    std::size_t y;
    std::int64_t x_positions;
    std::int64_t x_stride;
    std::int64_t y_stride;
    bool zeros;       // many of its inputs may be
    bool is_product;  // by `product`, where its tensors have one position
    kernels::RowArgs<T> product;
    std::int64_t product_number;               // among all products; -1: none
    std::vector<std::size_t> joined;           // slots, of a stage that reads several tensors
    std::vector<std::int64_t> joined_strides;  // as many
    const Streams<T>* streams = nullptr;       // what is run instead of `stage`
    std::int64_t kept = 0;                     // where its numbers begin
  };

  /// Decides where each tensor lies and which ops are left, once.
  void assign_slots(bool streams);
  void run_small(const InferOp& op, std::int64_t rows, const T* x,
                 InferWorkspace<T>& workspace) const noexcept;
  void gather(const T* in, std::int64_t in_stride, std::int64_t rows,
              InferWorkspace<T>& workspace) const noexcept;
  void run_row(const T* x, InferWorkspace<T>& workspace) const noexcept;
  void run_stage(const InferOp& op, std::int64_t rows, const T* x,
                 InferWorkspace<T>& workspace) const noexcept;

  const kernels::KernelTable<T>& kernels_;
  Parameters<T> parameters_;
  FunctionCalls calls_{nullptr};  // of none, since a Predictor has no such functions
  StageGraph<T> graph_;
  std::unique_ptr<SmallWeights> small_;  // of the products; null: not wanted
  std::vector<Input> inputs_;
  std::vector<InferOp> ops_;  // what is left to do when the rows are there
  std::vector<Result> results_;
  Activation::Kind last_activation_ = Activation::Kind::linear;
  std::int64_t slots_ = 0;
  std::int64_t products_ = 0;
  std::int64_t values_of_row_ = 0;  // of the widest tensor, padded
  std::int64_t widest_ = 0;
  std::size_t most_joined_ = 0;
  std::int64_t stream_size_ = 0;
  std::int64_t weights_ = 0;     // a number of their own, of all plans' weights
  bool reads_in_place_ = false;  // a single row's first op reads the caller's memory
};

}  // namespace chainrule::engine
