// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "chainrule/loss.hpp"
#include "chainrule/network.hpp"
#include "engine/copy_rows.hpp"
#include "engine/member_mean.hpp"
#include "engine/plan.hpp"
#include "engine/stages/loss.hpp"
#include "model/last_activation.hpp"

namespace chainrule {

/// A plan with the losses that its outputs end in, kept for the next call of the same kind. In
/// training each member of an ensemble has a loss by itself, see Average::independent; elsewhere
/// their mean has.
template <class T>
class CompiledLoss {
 public:
  /// options.losses must be `losses`, so that the plan leaves out activations that these contain.
  CompiledLoss(const kernels::KernelTable<T>& kernels, const Graph& graph,
               engine::Parameters<T>& parameters, const Losses& losses,
               const engine::PlanOptions& options)
      : CompiledLoss(kernels, graph, parameters, losses, options, Results(graph, losses)) {}

  /// Whether it was compiled for the same; what else the options say is the same for all users of a
  /// slot.
  bool is_for(const Losses& losses, const engine::PlanOptions& options) const {
    if (losses.size() != losses_.size() || plan.batch_size() != options.batch_size ||
        plan.threads() != options.threads || plan.augmentations() != options.augment)
      return false;
    for (std::size_t i = 0; i < losses_.size(); ++i)
      if (!(losses[i] == losses_[i]) || losses.weight(i) != weights_[i]) return false;
    return true;
  }

  /// Takes over what runs on these targets share; before the team starts, as the next.
  void prepare(const Targets& y, bool of_all_rows = false) {
    for (std::size_t i = 0; i < stages_.size(); ++i)
      stages_[i].prepare(y[output_of_[i]], of_all_rows);
  }
  /// Begins sums of losses with those of rows before.
  void begin(const LossSums& before = {}) {
    call_.resize(losses_.size());
    all_.resize(losses_.size());
    for (std::size_t k = 0; k < stages_.size(); ++k) {
      const std::size_t i = output_of_[k];
      const double unit = stages_[k].weight_unit();
      call_[i] = {0.0, 0.0, unit};
      all_[i] = {0.0, 0.0, unit};
      if (before.empty()) continue;
      const double ratio = before[i].unit / unit;  // a power of two, so no bit is lost
      all_[i] = {before[i].sum * ratio, before[i].weight * ratio, unit};
    }
  }

  /// For a batch whose row i is row order[i] of y: this thread's part of the losses and, if asked,
  /// of the gradients.
  void run(const engine::Step<T>& step, engine::ThreadContext& context, const Targets& y,
           engine::RowOrder order, bool gradients) {
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const std::size_t output = output_of_[i];
      const bool of_mean = means_[output] && !trains_;
      if (of_mean) means_[output]->run(plan, step.rows_of(context.slice()));
      const std::size_t result = trains_ ? i : first_result_[i];
      stages_[i].run(step, context, y[output], order,
                     of_mean ? means_[output]->y() : plan.result(result),
                     gradients ? plan.result_gradient(result) : engine::Tensor<T>{});
    }
  }
  /// Copies one thread's rows of the outputs that `run` has had, side by side, to row order[i].
  void copy_outputs(engine::Range rows, engine::RowOrder order, T* to) {
    std::int64_t first = 0;
    for (std::size_t i = 0; i < means_.size(); ++i) {
      if (means_[i] && trains_) means_[i]->run(plan, rows);
      const engine::Tensor<T>& y = means_[i] ? means_[i]->y() : plan.result(first_result_[i]);
      engine::copy_rows(y, rows, order, to + first, columns_);
      first += y.positions * y.columns;
    }
  }
  bool finite(engine::Range rows) const {
    return std::all_of(stages_.begin(), stages_.end(),
                       [&](const auto& stage) { return stage.finite(rows); });
  }

  /// What the gradients of the last batch, of `rows` rows, are those of: the losses of outputs by
  /// their weights, of an ensemble in training the sum of the members'. For the first thread, as is
  /// the next.
  double batch_loss(std::int64_t rows) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < stages_.size(); ++i)
      sum += weights_[output_of_[i]] * stages_[i].mean(rows).value();
    return sum;
  }
  /// Adds the losses of the last batch to the sums: of members in training to one, whose mean is
  /// that of theirs.
  void add_batch(std::int64_t rows) {
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const engine::MeanLoss mean = stages_[i].mean(rows);
      for (LossSum* sum : {&call_[output_of_[i]], &all_[output_of_[i]]}) {
        sum->sum += mean.sum;
        sum->weight += mean.weight;
      }
    }
  }
  /// The losses of the rows since `prepare`, and those with the rows of earlier calls.
  const LossSums& call() const { return call_; }
  const LossSums& all() const { return all_; }
  Losses losses() const { return {losses_, weights_}; }

  engine::Plan<T> plan;
  bool ready = false;  // for the rows that the training session has seen last

 private:
  /// What a plan works out: members in the place of their mean.
  struct Results {
    Results(const Graph& graph, const Losses& of_outputs) {
      for (std::size_t i = 0; i < of_outputs.size(); ++i) {
        first.push_back(nodes.size());
        for (const std::int64_t node : model::trained_nodes(graph, graph.outputs()[i])) {
          nodes.push_back(node);
          losses.push_back(of_outputs[i]);
          output_of.push_back(i);
        }
      }
    }
    engine::PlanOptions options(engine::PlanOptions given) const {
      given.losses = {losses, {}};
      given.result_nodes = nodes;
      return given;
    }

    std::vector<std::int64_t> nodes;
    std::vector<Loss> losses;
    std::vector<std::size_t> output_of;
    std::vector<std::size_t> first;  // of each output
  };

  CompiledLoss(const kernels::KernelTable<T>& kernels, const Graph& graph,
               engine::Parameters<T>& parameters, const Losses& losses,
               const engine::PlanOptions& options, const Results& results)
      : plan(kernels, graph, parameters, results.options(options)),
        trains_(options.backward),
        first_result_(results.first) {
    for (std::size_t i = 0; i < losses.size(); ++i) {
      losses_.push_back(losses[i]);
      weights_.push_back(losses.weight(i));
      const std::int64_t output = graph.outputs()[i];
      const std::size_t end = i + 1 < losses.size() ? results.first[i + 1] : results.nodes.size();
      means_.emplace_back();
      if (results.nodes[results.first[i]] == output) continue;
      const Activation::Kind last = model::last_activation(graph, output);
      means_[i].emplace(plan, results.first[i], end - results.first[i],
                        model::contains(losses[i], {last}) ? last : Activation::Kind::linear);
    }
    for (std::size_t i = 0; i < losses.size(); ++i)
      columns_ += graph.node(graph.outputs()[i]).shape.size();
    if (trains_) {
      output_of_ = results.output_of;
    } else {
      for (std::size_t i = 0; i < losses.size(); ++i) output_of_.push_back(i);
    }
    stages_.reserve(output_of_.size());
    for (const std::size_t i : output_of_)
      stages_.emplace_back(kernels, losses[i], losses.weight(i),
                           graph.node(graph.outputs()[i]).shape, options.batch_size, plan.calls());
  }

  bool trains_;
  std::vector<Loss> losses_;  // of outputs, as the next
  std::vector<double> weights_;
  std::vector<std::optional<engine::MemberMean<T>>> means_;
  std::vector<std::size_t> first_result_;
  std::int64_t columns_ = 0;                  // of all outputs
  std::vector<engine::LossStage<T>> stages_;  // of results in training, else of outputs
  std::vector<std::size_t> output_of_;        // of each of them
  LossSums call_;
  LossSums all_;
};

}  // namespace chainrule
