// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "chainrule/graph.hpp"
#include "engine/plan_options.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {

/// A stage with the tensors that it reads and the one that it writes.
template <class T>
struct StageNode {
  std::unique_ptr<Stage<T>> stage;
  std::vector<std::size_t> reads;
  std::size_t writes = 0;
  std::int64_t owner = 0;  // the layer whose parameters it uses
  bool shares = false;     // an earlier stage uses them as well
  bool trained = false;    // it has parameters, which training changes
};

/// What a stage gives and others read, or an input.
struct StageTensor {
  std::int64_t columns;
  std::int64_t positions;
  std::vector<std::size_t> readers = {};  // stages, one of them as often as it reads the tensor
  bool is_result = false;                 // a loss or the caller reads it, behind all stages
};

/// The nodes of a graph that lead to its results, each as its stages one behind the other, in
/// topological order. A stage reads tensors that earlier ones write, so running them in this order
/// is the forward pass and in the reverse order the backward pass. Rows of callers are flat, so
/// inputs and results have one position.
template <class T>
class StageGraph {
 public:
  /// training: what a plan with a backward pass needs besides.
  StageGraph(const kernels::KernelTable<T>& kernels, const Graph& graph, Parameters<T>& parameters,
             const PlanOptions& options, FunctionCalls& calls,
             const TrainingStages<T>* training = nullptr);

  std::vector<StageNode<T>> stages;
  std::vector<StageTensor> tensors;
  std::vector<std::size_t> inputs;        // tensors
  std::vector<std::size_t> results;       // tensors
  std::vector<std::size_t> node_outputs;  // the tensor of each layer, by its index

  /// The stage that alone reads a tensor, and no other one; null where there is none.
  StageNode<T>* single_reader(std::size_t tensor);
  const StageNode<T>* single_reader(std::size_t tensor) const;
  /// The AffineStage that alone reads the numbers of an input, all others reading the caller's
  /// rows; null where there is none.
  const StageNode<T>* affine_reader(std::size_t tensor) const;

 private:
  // What the constructor is made of. Tensors and stages are named by their indices; a pointer to a
  // stage holds until the next is added or erased.
  std::size_t add_tensor(std::int64_t columns, std::int64_t positions);
  std::size_t add_stage(std::unique_ptr<Stage<T>> stage, std::vector<std::size_t> reads,
                        std::int64_t positions);
  std::size_t add_reshape(std::size_t from, const Shape& shape, std::int64_t layer);
  void find_readers();
  void join_activations();
  void drop_contained_activation(std::size_t output, const Loss& loss);

  const kernels::KernelTable<T>& kernels_;
};

}  // namespace chainrule::engine
