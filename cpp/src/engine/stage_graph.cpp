// SPDX-License-Identifier: Apache-2.0
#include "engine/stage_graph.hpp"

#include <algorithm>
#include <string_view>
#include <type_traits>
#include <utility>

#include "chainrule/convolution_layers.hpp"
#include "engine/input/reads_rows.hpp"
#include "engine/instantiate.hpp"
#include "engine/stages/activated_sum.hpp"
#include "engine/stages/activation.hpp"
#include "engine/stages/affine.hpp"
#include "engine/stages/reshape.hpp"
#include "model/last_activation.hpp"

namespace chainrule::engine {
namespace {

/// Which tensors are, or stay, flat: with the numbers of all positions side by side, as the rows of
/// callers are. Those of convolutions and of layers that read categories may be; a layer that
/// changes no number, or scales all by one factor, passes them on. No order of gradients' sums
/// depends on it, since that layer is then the only one that reads them.
class FlatNodes {
 public:
  FlatNodes(const std::vector<Node>& nodes, const std::vector<bool>& wanted,
            const std::vector<std::int64_t>& results)
      : nodes_(nodes), flat_(nodes.size()), readers_(nodes.size()) {
    for (std::size_t i = nodes.size(); i-- > 0;)
      for (const std::int64_t input : nodes[i].inputs)
        if (wanted[i]) readers_[static_cast<std::size_t>(input)].push_back(i);
    for (std::size_t i = nodes.size(); i-- > 0;) {
      const bool is_result =
          std::find(results.begin(), results.end(), static_cast<std::int64_t>(i)) != results.end();
      const auto takes = [&](std::size_t reader) {
        return reads_flat(reader) || passes_on(reader);
      };
      flat_[i] = nodes[i].shape.positions() == 1 ||
                 (!is_result && !readers_[i].empty() &&
                  std::all_of(readers_[i].begin(), readers_[i].end(), takes));
    }
  }

  bool is_flat(std::size_t node) const { return flat_[node]; }
  /// Whether a layer that reads a flat tensor gives another, or the same.
  bool passes_on(std::size_t node) const {
    const std::string_view kind = (*nodes_[node].layer)->kind();
    return flat_[node] && (kind == "rescaling" || kind == "reshape" || kind == "flatten") &&
           readers_[static_cast<std::size_t>(nodes_[node].inputs[0])].size() == 1;
  }

 private:
  bool reads_flat(std::size_t node) const {
    const Layer& layer = **nodes_[node].layer;
    const auto* convolution = dynamic_cast<const Convolution*>(&layer);
    return layer.reads_categories() || (convolution && !convolution->is_transposed());
  }

  const std::vector<Node>& nodes_;
  std::vector<bool> flat_;
  std::vector<std::vector<std::size_t>> readers_;
};

}  // namespace

// In this order: which nodes lead to results; for each of them its stages, one behind the other;
// the tensors that are results, flat or with positions as their reader wants them; activations that
// losses contain; who reads what; activations that become part of sums.
template <class T>
StageGraph<T>::StageGraph(const kernels::KernelTable<T>& kernels, const Graph& graph,
                          Parameters<T>& parameters, const PlanOptions& options,
                          FunctionCalls& calls, const TrainingStages<T>* training)
    : kernels_(kernels) {
  const std::vector<std::int64_t>& wanted_nodes =
      options.result_nodes.empty() ? graph.outputs() : options.result_nodes;
  const std::vector<Node>& nodes = graph.nodes();
  // Nodes that lead to no result get no stages. Nodes come in topological order, so one pass from
  // the last to the first finds them.
  std::vector<bool> wanted(nodes.size(), false);
  for (const std::int64_t node : wanted_nodes) wanted[static_cast<std::size_t>(node)] = true;
  for (std::size_t i = nodes.size(); i-- > 0;) {
    for (const std::int64_t input : nodes[i].inputs)
      if (wanted[i]) wanted[static_cast<std::size_t>(input)] = true;
  }
  // The tensor that each node gives; several nodes have the same one where a layer needs no stage.
  std::vector<std::size_t> tensor_of(nodes.size());
  std::vector<std::size_t> flat_of(nodes.size());  // of inputs, for readers of categories
  const FlatNodes flat(nodes, wanted, wanted_nodes);
  std::vector<bool> used(nodes.size(), false);  // as the owner of parameters
  node_outputs.resize(static_cast<std::size_t>(graph.layer_count()));
  MemberCount count;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    const RandomPlace random = node.layer ? count.next(node.member) : RandomPlace{};
    if (!wanted[i] && node.layer) continue;
    const std::int64_t positions = node.shape.positions();
    check_table_size(checked_product(options.batch_size, positions), node.shape.columns(),
                     options.threads);
    // Rows of callers are flat: an input of shape (time, features) is cut into positions by a
    // stage, where a layer wants them.
    if (!node.layer) {
      flat_of[i] = add_tensor(node.shape.size(), 1);
      inputs.push_back(flat_of[i]);
      const bool stays_flat = flat.is_flat(i) || !wanted[i];
      tensor_of[i] = stays_flat ? flat_of[i] : add_reshape(flat_of[i], node.shape, 0);
      continue;
    }
    const std::size_t owner = node.shares >= 0 ? static_cast<std::size_t>(node.shares) : i;
    std::vector<std::size_t> reads;
    const bool reads_input = (*node.layer)->reads_categories();
    for (const std::int64_t input : node.inputs)
      reads.push_back((reads_input ? flat_of : tensor_of)[static_cast<std::size_t>(input)]);
    const bool stays_flat = tensors[reads[0]].positions == 1 && flat.passes_on(i);
    const StageContext<T> context{.kernels = kernels,
                                  .parameters = parameters,
                                  .layer = node.layer_index,
                                  .owner = nodes[owner].layer_index,
                                  .random = random,
                                  .shapes = graph.input_shapes(node),
                                  .inputs = tensors[reads[0]].columns,
                                  .frozen = !node.trainable,
                                  .rows = checked_product(options.batch_size, positions),
                                  .threads = options.threads,
                                  .backward = options.backward,
                                  .training = training,
                                  .calls = calls};
    Stages<T> added;
    if (!stays_flat || (*node.layer)->kind() == "rescaling")
      add_stages(**node.layer, context, added);
    tensor_of[i] = reads[0];
    for (auto& stage : added) {
      // The first use of parameters writes their gradient, later ones add to it (see
      // Plan::gradients).
      const bool shares = stage->has_parameters() && used[owner];
      const std::int64_t made = stage->y_positions > 0 ? stage->y_positions : positions;
      tensor_of[i] = add_stage(std::move(stage), std::move(reads), stays_flat ? 1 : made);
      stages.back().owner = context.owner;
      stages.back().shares = shares;
      stages.back().trained = stages.back().stage->has_parameters() && node.trainable;
      reads = {tensor_of[i]};
    }
    used[owner] = true;
    node_outputs[static_cast<std::size_t>(node.layer_index)] = tensor_of[i];
  }
  for (const std::int64_t node : wanted_nodes) {
    const auto i = static_cast<std::size_t>(node);
    const std::size_t given = tensor_of[i];
    // A layer without a stage, as of rows that keep their length, gives what it reads; each loss
    // writes a gradient of its own, so that an output that another one is already gets a copy.
    const bool taken = std::find(results.begin(), results.end(), given) != results.end();
    // A loss works on each position by itself.
    const Shape shape = options.losses.size() > 0 ? nodes[i].shape : Shape(nodes[i].shape.size());
    results.push_back(tensors[given].positions == shape.positions() && !taken
                          ? given
                          : add_reshape(given, shape, nodes[i].layer_index));
  }
  // This moves results, and only then is it known who reads which tensor.
  for (std::size_t i = 0; i < options.losses.size(); ++i)
    drop_contained_activation(i, options.losses[i]);
  for (const std::size_t result : results) tensors[result].is_result = true;
  find_readers();
  // Dual numbers have no stage for both.
  if constexpr (std::is_floating_point_v<T>) {
    if (options.backward && !options.keep_values) join_activations();
  }
}

// Readers come in the order of the stages, so the backward pass comes to the last one first.
template <class T>
void StageGraph<T>::find_readers() {
  for (StageTensor& tensor : tensors) tensor.readers.clear();
  for (std::size_t i = 0; i < stages.size(); ++i)
    for (const std::size_t tensor : stages[i].reads) tensors[tensor].readers.push_back(i);
}

/// Makes one stage of a sum and of the activation that gives one of its two terms, where nothing
/// else reads the term or what the activation reads: then the order of no sum of gradients changes.
template <class T>
void StageGraph<T>::join_activations() {
  const auto maker = [&](std::size_t tensor) {
    return std::find_if(stages.begin(), stages.end(),
                        [&](const StageNode<T>& node) { return node.writes == tensor; });
  };
  const auto join = [&](StageNode<T>& sum, std::size_t term) {
    const auto before = maker(sum.reads[term]);
    if (!single_reader(sum.reads[term]) || before == stages.end()) return false;
    const auto* last = dynamic_cast<const ActivationStage<T>*>(before->stage.get());
    if (!last || !ActivatedSumStage<T>::takes(last->activation().kind)) return false;
    const std::size_t read = before->reads[0];
    if (!single_reader(read) || maker(read) == stages.end()) return false;
    auto joined =
        std::make_unique<ActivatedSumStage<T>>(kernels_, last->activation(), last->outputs(), term);
    joined->layer = sum.stage->layer;
    sum.stage = std::move(joined);
    sum.reads[term] = read;
    stages.erase(before);
    find_readers();
    return true;
  };
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const auto* joins = dynamic_cast<const Joins<T>*>(stages[i].stage.get());
    if (!joins || !joins->is_sum() || stages[i].reads.size() != 2) continue;
    if (join(stages[i], 0) || join(stages[i], 1)) --i;
  }
}

// (rows x positions) x columns; without memory, which a plan gives it.
template <class T>
std::size_t StageGraph<T>::add_tensor(std::int64_t columns, std::int64_t positions) {
  tensors.push_back({columns, positions});
  return tensors.size() - 1;
}

// The stage writes a tensor of its own: no two stages write to one.
template <class T>
std::size_t StageGraph<T>::add_stage(std::unique_ptr<Stage<T>> stage,
                                     std::vector<std::size_t> reads, std::int64_t positions) {
  const std::size_t writes = add_tensor(stage->outputs(), positions);
  stages.push_back({std::move(stage), std::move(reads), writes});
  return writes;
}

template <class T>
std::size_t StageGraph<T>::add_reshape(std::size_t from, const Shape& shape, std::int64_t layer) {
  auto stage = make_reshape<T>(kernels_, tensors[from].columns, shape);
  stage->layer = layer;
  return add_stage(std::move(stage), {from}, shape.positions());
}

/// Moves a result from the output of its last activation to the input, where the loss contains the
/// activation and works from there. The stage stays if others read its output.
template <class T>
void StageGraph<T>::drop_contained_activation(std::size_t output, const Loss& loss) {
  const std::size_t result = results[output];
  const auto node = std::find_if(stages.begin(), stages.end(),
                                 [&](const StageNode<T>& n) { return n.writes == result; });
  if (node == stages.end()) return;
  const auto* last = dynamic_cast<const ActivationStage<T>*>(node->stage.get());
  if (!last || !model::contains(loss, last->activation())) return;
  const auto reads = [&](const StageNode<T>& n) {
    return std::find(n.reads.begin(), n.reads.end(), result) != n.reads.end();
  };
  std::size_t before = node->reads[0];
  const std::int64_t layer = node->stage->layer;
  if (std::none_of(stages.begin(), stages.end(), reads)) {
    for (std::size_t& tensor : node_outputs)
      if (tensor == result) tensor = before;
    stages.erase(node);
  }
  // Each loss writes a gradient of its own.
  if (std::find(results.begin(), results.end(), before) != results.end())
    before = add_reshape(before, Shape{tensors[before].positions, tensors[before].columns}, layer);
  results[output] = before;
}

// A result is read by a loss or the caller, too.
template <class T>
const StageNode<T>* StageGraph<T>::single_reader(std::size_t tensor) const {
  const StageTensor& t = tensors[tensor];
  return t.is_result || t.readers.size() != 1 ? nullptr : &stages[t.readers[0]];
}

template <class T>
const StageNode<T>* StageGraph<T>::affine_reader(std::size_t tensor) const {
  const StageNode<T>* found = nullptr;
  if (tensors[tensor].is_result) return nullptr;
  for (const std::size_t reader : tensors[tensor].readers) {
    Stage<T>* stage = stages[reader].stage.get();
    if (dynamic_cast<ReadsRows<T>*>(stage)) continue;
    if (found || !dynamic_cast<AffineStage<T>*>(stage)) return nullptr;
    found = &stages[reader];
  }
  return found;
}

template <class T>
StageNode<T>* StageGraph<T>::single_reader(std::size_t tensor) {
  return const_cast<StageNode<T>*>(std::as_const(*this).single_reader(tensor));
}

#define CHAINRULE_MEMBERS(T) template class StageGraph<T>;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule::engine
