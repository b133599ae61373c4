// SPDX-License-Identifier: Apache-2.0
// Rows go from op to op through slots of one workspace: an op in place leaves its tensor where it
// is, and any other writes to a slot that no later op reads.
#include "engine/inference/inference_plan.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "engine/stages/activation.hpp"
#include "model/last_activation.hpp"

namespace chainrule::engine {
namespace {

template <class T>
std::unique_ptr<SmallWeights> make_small_weights(const kernels::KernelTable<T>& kernels,
                                                 const Quantization& quantization) {
  if (quantization.weights == WeightType::unchanged) return nullptr;
  if constexpr (sizeof(T) == 4) {
    return std::make_unique<SmallWeights>(kernels, quantization);
  } else {
    throw Error("small weights are those of a network of float, and this one is of double");
  }
}

}  // namespace

// The stages are those of a plan without backward pass, over parameters of this object's own.
template <class T>
InferencePlan<T>::InferencePlan(const kernels::KernelTable<T>& kernels, const Graph& graph,
                                const Quantization& quantization, bool streams)
    : kernels_(kernels),
      parameters_(graph, kernels.panel),
      graph_(kernels, graph, parameters_, PlanOptions{}, calls_),
      small_(make_small_weights(kernels, quantization)) {
  for (const StageTensor& tensor : graph_.tensors) {
    widest_ = std::max(widest_, tensor.columns);
    values_of_row_ =
        std::max(values_of_row_, checked_product(tensor.positions, row_stride<T>(tensor.columns)));
  }
  assign_slots(streams);
  if (small_) small_->check_ranges();
  // Behind its members' last activation an average is what that is.
  const std::int64_t output = graph.outputs().front();
  if (graph.outputs().size() == 1 && model::trained_nodes(graph, output).front() != output)
    last_activation_ = model::last_activation(graph, output);
}

// The stages are gone through in their order, as `run` will do it: a tensor takes a free slot when
// it is written and gives it back behind its last reader. So there are as many slots as tensors
// alive at once, and every slot has the size of the widest.
template <class T>
void InferencePlan<T>::assign_slots(bool streams) {
  constexpr std::size_t none = static_cast<std::size_t>(-1);
  // A row this short has too few zeros to be worth skipping.
  constexpr std::int64_t few = 16;
  std::vector<std::size_t> slots(graph_.tensors.size(), none);
  std::vector<bool> zeros(graph_.tensors.size(), false);  // many of its values may be
  // How many stages, and results, still have to read each tensor: at 0 its slot is free.
  std::vector<std::size_t> unread(graph_.tensors.size());
  for (std::size_t t = 0; t < unread.size(); ++t)
    unread[t] = graph_.tensors[t].readers.size() + (graph_.tensors[t].is_result ? 1 : 0);
  std::vector<std::size_t> free;
  const auto take = [&] {
    if (free.empty()) return static_cast<std::size_t>(slots_++);
    const std::size_t slot = free.back();
    free.pop_back();
    return slot;
  };
  const auto release = [&](std::size_t tensor) {
    if (--unread[tensor] == 0 && slots[tensor] != none) free.push_back(slots[tensor]);
  };
  const auto stride = [&](std::size_t tensor) {
    return row_stride<T>(graph_.tensors[tensor].columns);
  };
  std::vector<bool> done(graph_.stages.size(), false);
  std::int64_t first = 0;
  for (const std::size_t input : graph_.inputs) {
    const std::int64_t columns = graph_.tensors[input].columns;
    slots[input] = take();
    // Inputs are data, zero or not.
    zeros[input] = columns > few;
    AffineStage<T>* affine = nullptr;
    if (const StageNode<T>* node = graph_.single_reader(input))
      affine = dynamic_cast<AffineStage<T>*>(node->stage.get());
    inputs_.push_back({first, columns, slots[input], affine});
    first += columns;
    // A scaling at the front is done while rows are gathered, so it has no op.
    if (!affine) continue;
    const StageNode<T>& node = *graph_.single_reader(input);
    done[static_cast<std::size_t>(&node - graph_.stages.data())] = true;
    slots[node.writes] = slots[input];
    zeros[node.writes] = zeros[input];
  }
  for (std::size_t i = 0; i < graph_.stages.size(); ++i) {
    if (done[i]) continue;
    const StageNode<T>& node = graph_.stages[i];
    std::size_t writes = node.writes;
    const auto& infers = dynamic_cast<const Infers<T>&>(*node.stage);
    auto* product = dynamic_cast<InfersProduct<T>*>(node.stage.get());
    const auto* activation = dynamic_cast<const ActivationStage<T>*>(node.stage.get());
    // An activation behind a sum becomes part of it, where no other stage reads in between.
    auto* ends = dynamic_cast<EndsInActivation*>(node.stage.get());
    if (const StageNode<T>* next = ends ? graph_.single_reader(writes) : nullptr) {
      if (const auto* behind = dynamic_cast<const ActivationStage<T>*>(next->stage.get())) {
        activation = behind;
        ends->fuse_activation(activation->activation());
        done[static_cast<std::size_t>(next - graph_.stages.data())] = true;
        writes = next->writes;
      }
    }
    const std::size_t read = node.reads[0];
    const bool in_place = infers.infers_in_place() && unread[read] == 1;
    slots[writes] = in_place ? slots[read] : take();
    const bool row = graph_.tensors[writes].positions == 1;
    InferOp op{&infers,
               slots[read],
               slots[writes],
               graph_.tensors[read].positions,
               stride(read),
               stride(writes),
               zeros[read],
               product && row,
               product ? product->row_product() : kernels::RowArgs<T>{},
               product ? products_++ : -1,
               {},
               {}};
    if (node.reads.size() > 1) {
      for (const std::size_t tensor : node.reads) {
        op.joined.push_back(slots[tensor]);
        op.joined_strides.push_back(stride(tensor));
      }
      most_joined_ = std::max(most_joined_, node.reads.size());
    }
    if constexpr (sizeof(T) == 4) {
      if (small_ && product) small_->add(op.product);
    }
    const auto* keeps = streams ? dynamic_cast<const Streams<T>*>(node.stage.get()) : nullptr;
    if (keeps && keeps->stream_size() > 0) {
      op.streams = keeps;
      op.kept = stream_size_;
      stream_size_ += padded<T>(keeps->stream_size());
    }
    ops_.push_back(std::move(op));
    last_activation_ = activation ? activation->activation().kind : Activation::Kind::linear;
    // Behind a relu about half of the values are.
    const bool many = last_activation_ == Activation::Kind::relu || infers.infers_zeros();
    zeros[writes] = many && graph_.tensors[writes].columns > few;
    // An operation in place keeps the slot of its first input.
    if (in_place) slots[read] = none;
    for (const std::size_t tensor : node.reads) release(tensor);
  }
  for (const std::size_t result : graph_.results)
    results_.push_back({slots[result], graph_.tensors[result].columns, stride(result)});
  // A single row may then be read where the caller has it, without a copy.
  const StageNode<T>* reader = graph_.single_reader(graph_.inputs[0]);
  reads_in_place_ = inputs_.size() == 1 && !inputs_[0].affine && reader && !ops_.empty() &&
                    (ops_.front().streams || (ops_.front().is_product && !ops_.front().zeros));
}

// What stages work out from the weights, such as scalings and bins, follows.
template <class T>
void InferencePlan<T>::copy_from(const Buffer<T>& values) {
  static std::atomic<std::int64_t> copies{0};
  weights_ = ++copies;
  parameters_.values.copy_from(values);
  for (const StageNode<T>& node : graph_.stages) node.stage->refresh();
  if (small_) small_->pack();
}

// Scratch is shared by the ops, which come one after the other, so the largest wish counts.
template <class T>
InferWorkspace<T> InferencePlan<T>::workspace(std::int64_t rows) const {
  check_table_size(checked_product(rows, slots_), values_of_row_);
  std::int64_t scratch = 0;
  for (const InferOp& op : ops_) {
    const std::int64_t x_rows = rows * op.x_positions;
    scratch = std::max(scratch, op.stage->infer_scratch_bytes(x_rows));
    if (small_ && op.product_number >= 0)
      scratch = std::max(scratch, small_->scratch_bytes(op.product_number, x_rows));
  }
  return {rows, slots_, values_of_row_, widest_, most_joined_, scratch, stream_size_};
}

// in: rows x inputs at in_stride. Results stay in the slots that `results()` names.
template <class T>
void InferencePlan<T>::run(const T* in, std::int64_t in_stride, std::int64_t rows,
                           InferWorkspace<T>& workspace) const noexcept {
  if (rows == 1 && reads_in_place_) {
    run_row(in, workspace);
    return;
  }
  gather(in, in_stride, rows, workspace);
  if (rows == 1) {
    run_row(nullptr, workspace);
    return;
  }
  for (const InferOp& op : ops_) run_stage(op, rows, nullptr, workspace);
}

// x: (rows positions) x inputs -> y: (rows positions) x outputs, from slot to slot
template <class T>
void InferencePlan<T>::observe(const T* in, std::int64_t in_stride, std::int64_t rows,
                               InferWorkspace<T>& workspace,
                               std::vector<std::vector<T>>& entering) const {
  gather(in, in_stride, rows, workspace);
  for (const InferOp& op : ops_) {
    if (op.product_number >= 0) {
      std::vector<T>& values = entering[static_cast<std::size_t>(op.product_number)];
      const T* x = workspace.slot(op.x);
      for (std::int64_t i = 0; i < rows * op.x_positions; ++i)
        values.insert(values.end(), x + i * op.x_stride,
                      x + i * op.x_stride + op.product.shape.rows);
    }
    run_stage(op, rows, nullptr, workspace);
  }
}

template <class T>
void InferencePlan<T>::gather(const T* in, std::int64_t in_stride, std::int64_t rows,
                              InferWorkspace<T>& workspace) const noexcept {
  constexpr auto size = static_cast<std::int64_t>(sizeof(T));
  constexpr auto type = sizeof(T) == 4 ? DataType::float32 : DataType::float64;
  for (const Input& input : inputs_) {
    kernels_.gather({type, in + input.first, in_stride * size, size, nullptr, 0, rows,
                     input.columns, input.affine ? input.affine->scale() : nullptr,
                     input.affine ? input.affine->offset() : nullptr, workspace.slot(input.slot),
                     row_stride<T>(input.columns)});
  }
}

/// An op of any kind; it reads `x` unless that is null.
template <class T>
void InferencePlan<T>::run_stage(const InferOp& op, std::int64_t rows, const T* x,
                                 InferWorkspace<T>& workspace) const noexcept {
  if (small_ && op.product_number >= 0) return run_small(op, rows, x, workspace);
  for (std::size_t i = 0; i < op.joined.size(); ++i)
    workspace.joined[i] = workspace.slot(op.joined[i]);
  const InferArgs<T> args{rows * op.x_positions,
                          x ? x : workspace.slot(op.x),
                          op.x_stride,
                          workspace.slot(op.y),
                          op.y_stride,
                          workspace.scratch.data(),
                          workspace.joined.data(),
                          op.joined_strides.data()};
  if (op.streams) {
    op.streams->stream(args, workspace.kept.data() + op.kept, workspace.position);
  } else {
    op.stage->infer(args);
  }
}

/// A product with small weights; it reads `x` unless that is null.
template <class T>
void InferencePlan<T>::run_small(const InferOp& op, std::int64_t rows, const T* x,
                                 InferWorkspace<T>& workspace) const noexcept {
  if constexpr (sizeof(T) == 4) {
    small_->forward(op.product_number, rows * op.x_positions, x ? x : workspace.slot(op.x),
                    op.x_stride, workspace.slot(op.y), op.y_stride,
                    op.zeros ? workspace.terms.data() : nullptr, workspace.scratch.data());
  }
}

/// Runs all ops on a single row; the first one reads `x` unless it is null.
template <class T>
void InferencePlan<T>::run_row(const T* x, InferWorkspace<T>& workspace) const noexcept {
  if (workspace.weights != weights_) {
    workspace.weights = weights_;
    workspace.position.weights_from = workspace.position.index;
  }
  for (const InferOp& op : ops_) {
    if (op.is_product && !small_) {
      kernels_.forward_row(op.product, x ? x : workspace.slot(op.x), workspace.slot(op.y),
                           op.zeros ? workspace.terms.data() : nullptr);
    } else {
      run_stage(op, 1, x, workspace);
    }
    x = nullptr;
  }
  ++workspace.position.index;
}

template class InferencePlan<float>;
template class InferencePlan<double>;

}  // namespace chainrule::engine
