// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "chainrule/callback.hpp"
#include "chainrule/full_batch.hpp"
#include "engine/plan.hpp"
#include "engine/second_order/cholesky.hpp"
#include "engine/second_order/full_batch_loss.hpp"
#include "engine/second_order/jacobian.hpp"
#include "engine/second_order/parameter_vector.hpp"
#include "engine/second_order/product_gram.hpp"

namespace chainrule {

/// The parameters of a network in double, in an arena of their own.
class DoubleParameters {
 public:
  template <class T>
  DoubleParameters(const Graph& graph, const engine::Parameters<T>& from);
  template <class T>
  explicit DoubleParameters(const Network<T>& network);

  /// Takes all of them over again.
  template <class T>
  void take(const engine::Parameters<T>& from);

  engine::Parameters<double> parameters;
};

/// The errors e of all rows and outputs, in double, scaled so that the sum of their squares is the
/// loss mse, and their Jacobian J with respect to the trained parameters. Where the gradients of
/// all layers are products of what they read and what comes back, J^T J comes from these
/// (ProductGram), otherwise from the rows of J.
class GaussNewton {
 public:
  using Poll = Callback<void()>;

  /// Throws Error unless all losses are mse.
  GaussNewton(const Graph& graph, engine::Parameters<double>& parameters, double multiply_adds,
              const TrainingRows& rows, int num_threads, const engine::Occupancy& occupancy);

  std::int64_t parameters() const { return vector_.size(); }
  std::int64_t outputs() const { return outputs_; }
  std::int64_t errors() const { return rows_.rows() * outputs_; }
  const engine::ParameterVector& vector() const { return vector_; }

  /// The sum of squares at the present parameters; and the outputs, rows x outputs, if asked.
  double sum_of_squares(double* outputs, const Poll& poll);
  /// J^T J and J^T e at the parameters of the last call of sum_of_squares, which still hold: what
  /// that has found on the way forward is used again.
  void normal_equations(engine::SymmetricMatrix& jj, Vector& je, const Poll& poll);

  /// J^T (e' - e) at the present parameters, of the errors e' that other outputs would have: rows x
  /// outputs.
  void change_of_gradient(const double* outputs, Vector& change, const Poll& poll);

  /// The outputs of some rows of x, rows x outputs, and the gradients of each with respect to the
  /// parameters: column (row * outputs + output) of `gradients`, parameters x (rows x outputs).
  void row_gradients(const Inputs& x, std::int64_t first, std::int64_t count, double* outputs,
                     engine::Buffer<double>& gradients, std::int64_t stride);

 private:
  void take_targets();
  void run_forward(engine::ThreadContext& context, const engine::Step<double>& step,
                   std::int64_t first, double* outputs);
  void run_backward(engine::ThreadContext& context, const engine::Step<double>& step,
                    std::int64_t first);
  Jacobian& jacobian(const Inputs& x);

  const Graph& graph_;
  engine::Parameters<double>& values_;
  const TrainingRows& rows_;
  const engine::Occupancy& occupancy_;
  engine::ParameterVector vector_;
  std::int64_t outputs_;  // columns of all outputs
  int num_threads_;
  std::vector<double> targets_;  // rows x outputs
  std::vector<double> scales_;   // of errors, the same
  std::vector<double> errors_;   // of the last batch that went forward, rows x outputs
  std::vector<double> row_sums_;
  double work_of_row_;
  std::unique_ptr<engine::Plan<double>> plan_;
  std::unique_ptr<engine::ProductGram> gram_;  // null: by the rows of J
  std::unique_ptr<Jacobian> jacobian_;         // made where it is needed
  engine::Buffer<double> gradients_;           // as well; an arena of a batch's
};

}  // namespace chainrule
