// SPDX-License-Identifier: Apache-2.0
// Stages run in the order of the graph's nodes, forward from the first to the last and backward
// from the last to the first:
//
//   x --> stage 0 --> t1 --> stage 1 --> t2 --> stage 2 (t1 + t2) --> result --> loss
//                      \__________________________/
//
// A tensor with several readers gets the sum of their gradients, added up in the order in which the
// backward pass comes to them: the loss and then the last reader first. The first one writes it,
// and what the others give is added to that.
#include "engine/plan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/instantiate.hpp"
#include "engine/norm.hpp"

namespace chainrule::engine {

// All decisions fall here, so that a step looks nothing up: which stages an input does, which go
// backward, where tensors lie, and what is added to what.
template <class T>
Plan<T>::Plan(const kernels::KernelTable<T>& kernels, const Graph& graph, Parameters<T>& parameters,
              const PlanOptions& options)
    : kernels_(kernels),
      options_(options),
      parameters_(parameters),
      calls_(options.occupancy),
      graph_(kernels, graph, parameters, options, calls_, &training_stages<T>()),
      ops_(graph_.stages.size()),
      value_memory_(options.batch_size),
      gradient_memory_(options.batch_size) {
  options_.losses = {};  // which may not live as long
  for (const std::size_t result : graph_.results)
    result_columns_ += graph_.tensors[result].positions * graph_.tensors[result].columns;
  for (const StageTensor& tensor : graph_.tensors) {
    TensorMemoryUse use;
    use.y = {nullptr, tensor.columns, row_stride<T>(tensor.columns), tensor.positions};
    tensors_.push_back(use);
  }
  make_inputs(graph);
  find_gradients();
  find_sections();
  allocate_values();
  allocate_gradients();
  connect();
}

/// The chain of stages that an input goes through first, each the only reader of what comes in; or
/// the AffineStage beside stages that read the caller's rows.
template <class T>
std::vector<FirstStage<T>> Plan<T>::first_stages(std::size_t tensor) const {
  std::vector<FirstStage<T>> stages;
  constexpr std::size_t most = 2;  // an AffineStage or a reader, and what takes nonzeros
  while (stages.size() < most) {
    const StageNode<T>* node = graph_.single_reader(tensor);
    if (!node || node->reads.size() > 1) break;
    tensor = node->writes;
    const std::vector<std::size_t>& next = graph_.tensors[tensor].readers;
    const bool in_gradients = std::any_of(next.begin(), next.end(),
                                          [&](std::size_t i) { return graph_.stages[i].trained; });
    stages.push_back({node->stage.get(), in_gradients});
  }
  if (!stages.empty()) return stages;
  if (const StageNode<T>* node = graph_.affine_reader(tensor))
    stages.push_back({node->stage.get(), false});
  return stages;
}

// Each input with the stages that it goes through first. The output of an AffineStage is the
// input's own tensor, and that of a stage whose entries are listed is not written: neither gets
// memory.
template <class T>
void Plan<T>::make_inputs(const Graph& graph) {
  for (std::size_t number = 0; number < graph_.inputs.size(); ++number) {
    const std::size_t tensor = graph_.inputs[number];
    const std::vector<FirstStage<T>> first = first_stages(tensor);
    std::vector<Stage<T>*> readers;
    for (const std::size_t reader : graph_.tensors[tensor].readers)
      readers.push_back(graph_.stages[reader].stage.get());
    inputs_.push_back(std::make_unique<BatchInput<T>>(
        kernels_, options_, graph_.tensors[tensor].columns, readers, first));
    BatchInput<T>& input = *inputs_.back();
    input.augment(graph.node(graph.inputs()[number]), number);
    if (first.empty()) continue;
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      const StageNode<T>& node = graph_.stages[i];
      if (input.feeds(*node.stage)) ops_[i].input = &input;
      if (node.stage.get() != first[0].stage) continue;
      if (input.fuses_affine()) ops_[i].done_by_input = &input;
      tensors_[node.writes].has_memory = !input.fuses_affine() && !input.lists_first_output();
    }
  }
}

// Every stage gets its x, y, dx and dy. Its dx is the tensor's gradient where it is the first to
// write it, memory of its own where what it writes is to be added, and null where dy itself is used
// or nothing is wanted. A stage that can add while it writes takes what a sum passes on, which
// saves a pass over the tensor.
template <class T>
void Plan<T>::connect() {
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    const StageNode<T>& node = graph_.stages[i];
    Stage<T>& stage = *node.stage;
    stage.y = tensors_[node.writes].y;
    stage.dy = tensors_[node.writes].dy;
    Op& op = ops_[i];
    auto* adds = dynamic_cast<AddsToGradient<T>*>(&stage);
    if (adds && node.reads.size() == 1 && op.passed.size() == 1 && !op.to_add[0].data) {
      adds->more = tensors_[op.passed[0].from].dy;
      op.adds = false;
    }
    std::vector<Tensor<T>> xs;
    std::vector<Tensor<T>> dxs;
    for (std::size_t j = 0; j < node.reads.size(); ++j) {
      const TensorMemoryUse& read = tensors_[node.reads[j]];
      const bool wanted = ops_[i].backward && read.wants_gradient && !ops_[i].passes[j];
      const bool added = wanted && ops_[i].to_add[j].data;
      xs.push_back(read.y);
      dxs.push_back(added ? ops_[i].to_add[j] : wanted ? read.dy : Tensor<T>{});
    }
    stage.x = xs[0];
    stage.dx = dxs[0];
    if (auto* joins = dynamic_cast<Joins<T>*>(&stage)) {
      joins->xs = std::move(xs);
      joins->dxs = std::move(dxs);
    }
  }
  connect_inputs();
}

/// The tensors of inputs have memory only once it is needed.
template <class T>
void Plan<T>::connect_inputs() {
  const auto place = [&](std::size_t tensor, const Tensor<T>& y) {
    tensors_[tensor].y = y;
    for (const std::size_t reader : graph_.tensors[tensor].readers) {
      StageNode<T>& node = graph_.stages[reader];
      if (node.reads[0] == tensor) node.stage->x = y;
      if (node.reads.size() < 2) continue;
      auto& joins = dynamic_cast<Joins<T>&>(*node.stage);
      for (std::size_t j = 0; j < node.reads.size(); ++j)
        if (node.reads[j] == tensor) joins.xs[j] = y;
    }
  };
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const Tensor<T>& x = inputs_[i]->x();
    place(graph_.inputs[i], x);
    if (!inputs_[i]->fuses_affine()) continue;
    const StageNode<T>& affine = *graph_.affine_reader(graph_.inputs[i]);
    affine.stage->y = x;
    place(affine.writes, x);
  }
}

template <class T>
void Plan<T>::refresh() {
  calls_.begin();
  for (const StageNode<T>& node : graph_.stages) node.stage->refresh();
}

// A path may have given an input memory, whose address its readers then need.
template <class T>
void Plan<T>::choose_path(const Inputs& x, InputSparsity sparsity) {
  bool moved = false;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    inputs_[i]->choose_path(x[i], sparsity);
    moved |= inputs_[i]->x().data != tensors_[graph_.inputs[i]].y.data;
  }
  if (moved) connect_inputs();
}

template <class T>
void Plan<T>::check_takes_sparse(const std::string& what) const {
  for (const auto& input : inputs_) input->check_takes_sparse(what);
}

template <class T>
const Parameter* Plan<T>::sparse_weight() const {
  // With several inputs there may be several such matrices, which are all followed as dense ones.
  return inputs_.size() == 1 ? inputs_[0]->sparse_weight() : nullptr;
}

template <class T>
bool Plan<T>::changed() const {
  return std::any_of(inputs_.begin(), inputs_.end(),
                     [](const auto& input) { return input->changed(); });
}

template <class T>
void Plan<T>::check_unchanged() const {
  for (const auto& input : inputs_) input->check_unchanged();
}

// x: one view for each input; row i of the batch is row order[i] of all
template <class T>
void Plan<T>::load(ThreadContext& context, const Step<T>& step, const Inputs& x, RowOrder order) {
  for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i]->load(context, step, x[i], order);
}

// dx += more, for what other readers of the tensor have given; to_add and the gradients: rows x
// columns; each thread adds rows.
template <class T>
void Plan<T>::add_gradients(Range rows, std::size_t stage) {
  const auto add = [&](const Tensor<T>& more, const Tensor<T>& to) {
    const std::int64_t first = rows.begin * more.positions;
    kernels_.accumulate(more.row(first), to.row(first), rows.size() * more.positions * more.stride);
  };
  for (const auto& [from, to] : ops_[stage].passed) add(tensors_[from].dy, tensors_[to].dy);
  for (std::size_t j = 0; j < ops_[stage].to_add.size(); ++j) {
    const Tensor<T>& more = ops_[stage].to_add[j];
    if (more.data) add(more, tensors_[graph_.stages[stage].reads[j]].dy);
  }
}

// From x and dy to the gradients of all trained parameters, which are stored or used up at once.
// All tensors and their gradients are read and none is written, so the stages follow each other
// without a barrier, but for shared parameters.
template <class T>
void Plan<T>::gradients(ThreadContext& context, const Step<T>& step) {
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    const StageNode<T>& node = graph_.stages[i];
    if (!node.trained) continue;
    if (node.shares) {
      add_shared_gradients(context, step, i);
    } else {
      stage_gradients(context, step, i);
    }
  }
  if (step.update && inputs_.size() == 1 && inputs_[0]->can_skip_barrier(context.slice().count))
    context.allow_barrier_skip();
}

/// In a section the backward pass has summed them.
template <class T>
void Plan<T>::stage_gradients(ThreadContext& context, const Step<T>& step, std::size_t stage) {
  if (ops_[stage].in_blocks) {
    ops_[stage].in_blocks->store_gradients(step, context.slice());
  } else {
    graph_.stages[stage].stage->gradients(step, context);
  }
}

// One for each trained stage. A single stage that has no product, or no table, makes the whole
// unusable.
template <class T>
std::vector<GradientProduct<T>> Plan<T>::gradient_products() const {
  std::vector<GradientProduct<T>> products;
  for (const StageNode<T>& node : graph_.stages) {
    if (!node.trained) continue;
    const auto* gives = dynamic_cast<const GivesGradientProduct<T>*>(node.stage.get());
    if (!gives) return {};
    products.push_back(gives->gradient_product());
    products.back().shares = node.shares;
    if (!products.back().x.data || products.back().dy.positions != 1) return {};
  }
  return products;
}

/// Gradients of a stage whose parameters have got some from an earlier one, to which its own are
/// added: worked out in an arena of their own by those who own parameters, and added by slices of
/// that, hence a wait before and behind it.
template <class T>
void Plan<T>::add_shared_gradients(ThreadContext& context, const Step<T>& step, std::size_t stage) {
  const StageNode<T>& node = graph_.stages[stage];
  Step<T> own = step;
  own.gradients = shared_gradients_.data();
  context.sync_for(Partition::columns);
  stage_gradients(context, own, stage);
  context.sync_for(Partition::columns);
  for (const Parameter& p : parameters_.list()) {
    if (p.layer != node.owner || !p.trained) continue;
    const Range mine = context.slice().range(p.size, kernels::kRowAlignment<T>);
    kernels_.accumulate(own.gradients + p.offset + mine.begin,
                        step.gradients + p.offset + mine.begin, mine.size());
  }
}

// (rows x positions) x columns of the layer's last stage
template <class T>
const Tensor<T>& Plan<T>::output_of(std::int64_t layer) const {
  return tensors_[graph_.node_outputs[static_cast<std::size_t>(layer)]].y;
}

/// A gradient is a sum of products of entries of x, or of x normalised, and entries of dy, in each
/// row one of dy: by Cauchy and Schwarz at most the product of their 2-norms. Normalised columns or
/// rows, categories and ones have a norm of at most sqrt(rows x columns).
template <class T>
double Plan<T>::gradient_bound(std::int64_t rows) const {
  double bound = 0.0;
  double most_rows = 0.0;
  for (const StageNode<T>& node : graph_.stages) {
    const Stage<T>& stage = *node.stage;
    if (!node.trained) continue;
    if (auto* bounds = dynamic_cast<BoundsGradient*>(node.stage.get())) {
      bound += bounds->gradient_bound(rows);
      continue;
    }
    const std::int64_t all = rows * stage.y.positions;
    most_rows = std::max(most_rows, static_cast<double>(all));
    const BatchInput<T>* input = nullptr;
    for (const auto& i : inputs_)
      if (i->leaves_out_table(stage)) input = i.get();
    const double read = input          ? input->norm(rows)
                        : stage.x.data ? norm_of(kernels_, stage.x, rows * stage.x.positions)
                                       : 0.0;
    const double entries = static_cast<double>(all * stage.x.columns);
    bound += (read + std::sqrt(entries)) * norm_of(kernels_, stage.dy, all);
  }
  // Rounding adds less to each of the sums.
  return bound * (1.0 + most_rows * std::numeric_limits<T>::epsilon());
}

// A stage without memory for its output is done by its input, and costs nothing by itself.
template <class T>
PlanInfo Plan<T>::describe() const {
  PlanInfo info{options_.threads, {}, inputs_[0]->path()};
  for (const StageNode<T>& node : graph_.stages) {
    const Stage<T>& stage = *node.stage;
    const Cost cost = stage.cost(options_.batch_size * stage.y.positions);
    const bool fused = !tensors_[node.writes].has_memory;
    info.stages.push_back({stage.describe(),
                           fused                                     ? "fused"
                           : stage.partition() == Partition::columns ? "columns"
                                                                     : "rows",
                           cost.operations, fused ? 0.0 : cost.bytes});
  }
  return info;
}

#define CHAINRULE_MEMBERS(T) template class Plan<T>;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule::engine
