// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "chainrule/callback.hpp"
#include "chainrule/full_batch.hpp"
#include "engine/compiled_loss.hpp"
#include "engine/plan_options.hpp"
#include "engine/second_order/parameter_vector.hpp"
#include "engine/threads/occupancy.hpp"

namespace chainrule {

using engine::Vector;

/// The rows, targets and losses of a training, as views of the caller's memory.
struct TrainingRows {
  TrainingRows(const Inputs& inputs, const Targets& targets, const Losses& given)
      : x(inputs.begin(), inputs.end()), y(targets.begin(), targets.end()) {
    for (std::size_t i = 0; i < given.size(); ++i) {
      losses.push_back(given[i]);
      weights.push_back(given.weight(i));
    }
  }
  std::int64_t rows() const { return x.front().rows; }
  Losses all_losses() const { return {losses, weights}; }

  std::vector<RowsView> x;
  std::vector<TargetsView> y;
  std::vector<Loss> losses;
  std::vector<double> weights;
};

/// What a solver uses of a network, whose parameters it changes.
template <class T>
struct SolvedNetwork {
  const Graph& graph;
  engine::Parameters<T>& parameters;
  double multiply_adds;  // of a row forward
  double work_of_row;    // the same with what it takes to gather it
  const engine::Occupancy& occupancy;
};

/// The mean loss of all rows with the penalties, as a function of the parameters. The rows are
/// worked on some at a time in the network's type, and what they give is added up in double in the
/// order of the rows.
template <class T>
class FullBatchLoss {
 public:
  using Poll = Callback<void()>;

  FullBatchLoss(const SolvedNetwork<T>& network, const TrainingRows& rows,
                const FullBatchOptions& options);

  std::int64_t size() const { return vector_.size(); }
  /// The network's parameters.
  void read_parameters(Vector& w) const {
    vector_.read(network_.parameters.values.data(), w.data());
  }
  void write_parameters(const Vector& w) {
    vector_.write(w.data(), network_.parameters.values.data());
  }
  /// At the network's parameters, which are w: the loss with penalties and its gradient; and the
  /// raw outputs, if asked. What is not finite is passed on as it is.
  double evaluate(const Vector& w, Vector& gradient, T* outputs, const Poll& poll);
  /// The losses of each output at the last evaluation, and their mean, without penalties.
  const LossSums& losses() const { return compiled_.all(); }
  double data_loss() const { return compiled_.all().mean(compiled_.losses()); }

 private:
  const SolvedNetwork<T> network_;
  const TrainingRows& rows_;
  std::int64_t batch_size_;
  // The network's arena as a vector of double, and back.
  engine::ParameterVector vector_;
  CompiledLoss<T> compiled_;
  engine::Buffer<T> gradients_;  // an arena of parameters, of some rows
  engine::Buffer<double> sums_;  // of these, in the same layout
};

}  // namespace chainrule
