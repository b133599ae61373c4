// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "chainrule/loss.hpp"
#include "chainrule/network.hpp"
#include "engine/plan.hpp"
#include "engine/stages/loss.hpp"

namespace chainrule {

/// A plan with the losses that its outputs end in, kept for the next call of the same kind.
template <class T>
class CompiledLoss {
 public:
  /// options.losses must be `losses`, so that the plan leaves out activations that these contain.
  CompiledLoss(const kernels::KernelTable<T>& kernels, const Graph& graph,
               engine::Parameters<T>& parameters, const Losses& losses,
               const engine::PlanOptions& options)
      : plan(kernels, graph, parameters, options) {
    stages_.reserve(losses.size());
    for (std::size_t i = 0; i < losses.size(); ++i) {
      losses_.push_back(losses[i]);
      weights_.push_back(losses.weight(i));
      stages_.emplace_back(kernels, losses[i], losses.weight(i),
                           graph.node(graph.outputs()[i]).shape, options.batch_size, plan.calls());
    }
  }

  /// Whether it was compiled for the same; what else the options say is the same for all users of a
  /// slot.
  bool is_for(const Losses& losses, const engine::PlanOptions& options) const {
    if (losses.size() != losses_.size() || plan.batch_size() != options.batch_size ||
        plan.threads() != options.threads)
      return false;
    for (std::size_t i = 0; i < losses_.size(); ++i)
      if (!(losses[i] == losses_[i]) || losses.weight(i) != weights_[i]) return false;
    return true;
  }

  /// Takes over what runs on these targets share; before the team starts, as the next.
  void prepare(const Targets& y, bool of_all_rows = false) {
    for (std::size_t i = 0; i < stages_.size(); ++i) stages_[i].prepare(y[i], of_all_rows);
  }
  /// Begins sums of losses with those of rows before.
  void begin(const LossSums& before = {}) {
    call_.resize(stages_.size());
    all_.resize(stages_.size());
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const double unit = stages_[i].weight_unit();
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
    for (std::size_t i = 0; i < stages_.size(); ++i)
      stages_[i].run(step, context, y[i], order, plan.result(i),
                     gradients ? plan.result_gradient(i) : engine::Tensor<T>{});
  }
  bool finite(engine::Range rows) const {
    return std::all_of(stages_.begin(), stages_.end(),
                       [&](const auto& stage) { return stage.finite(rows); });
  }

  /// The loss of the last batch, of `rows` rows; for the first thread, as is the next.
  double batch_loss(std::int64_t rows) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < stages_.size(); ++i)
      sum += weights_[i] * stages_[i].mean(rows).value();
    return sum;
  }
  /// Adds the losses of the last batch to the sums.
  void add_batch(std::int64_t rows) {
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const engine::MeanLoss mean = stages_[i].mean(rows);
      for (LossSum* sum : {&call_[i], &all_[i]}) {
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
  std::vector<Loss> losses_;
  std::vector<double> weights_;
  std::vector<engine::LossStage<T>> stages_;
  LossSums call_;
  LossSums all_;
};

}  // namespace chainrule
