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
#include "engine/second_order/parameter_vector.hpp"

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
/// loss mse, and their Jacobian J with respect to the trained parameters. A row of J is the
/// gradient that a row of the batch alone gives for one output, by the network's own stages: where
/// all of them are products of what a layer reads and what comes back, those of many rows in one
/// pass, otherwise a pass for each row.
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
  /// J^T J and J^T e at the present parameters.
  void normal_equations(engine::SymmetricMatrix& jj, Vector& je, const Poll& poll);

  /// The outputs of some rows of x, rows x outputs, and the gradients of each with respect to the
  /// parameters: column (row * outputs + output) of `gradients`, parameters x (rows x outputs).
  void row_gradients(const Inputs& x, std::int64_t first, std::int64_t count, double* outputs,
                     engine::Buffer<double>& gradients, std::int64_t stride);

 private:
  /// The plan of a thread's rows, with what it makes of them.
  struct RowPlan {
    RowPlan(const Graph& graph, engine::Parameters<double>& parameters, std::int64_t rows);

    void choose_path(const Inputs& x);

    engine::Plan<double> plan;
    std::vector<engine::GradientProduct<double>> products;  // none: a pass for each row
    engine::Buffer<double> gradients;                       // an arena
    engine::Buffer<double> product;                         // a panel of J^T J
  };
  /// Rows of J and the outputs that belong to them.
  struct JacobianRows {
    double* gradients;  // (rows x outputs) x stride
    std::int64_t stride;
    double* outputs;       // rows x outputs
    const double* scales;  // the same; null: all 1
  };

  void take_targets();
  /// Works out `count` rows of x from `row` on.
  void find_rows(RowPlan& own, const Inputs& x, std::int64_t row, std::int64_t count,
                 const JacobianRows& to) const;
  void find_rows_together(RowPlan& own, const Inputs& x, std::int64_t row, std::int64_t count,
                          const JacobianRows& to) const;
  void find_row(RowPlan& own, const Inputs& x, std::int64_t row, const JacobianRows& to) const;
  void add_product(const engine::GradientProduct<double>& product, std::int64_t count,
                   double* gradients, std::int64_t stride) const;
  void fill_jacobian(RowPlan& own, std::int64_t row, std::int64_t count, std::int64_t place);
  void add_products(RowPlan& plan, engine::ThreadSlice slice, std::int64_t rows);

  const Graph& graph_;
  engine::Parameters<double>& values_;
  const TrainingRows& rows_;
  const engine::Occupancy& occupancy_;
  const kernels::KernelTable<double>& kernels_;
  engine::ParameterVector vector_;
  std::int64_t outputs_;         // columns of all outputs
  std::vector<double> targets_;  // rows x outputs
  std::vector<double> scales_;   // of errors, the same
  std::vector<double> found_;    // outputs of the rows that are in J, the same
  std::int64_t chunk_;           // rows of the batch that are in J at once
  int threads_;
  double work_of_row_;
  engine::Buffer<double> jacobian_;   // (chunk x outputs) x (parameters + 1), with the errors
  engine::SymmetricMatrix products_;  // of its columns
  std::vector<std::unique_ptr<RowPlan>> row_plans_;  // one a thread
  std::unique_ptr<engine::Plan<double>> batch_plan_;
  std::vector<double> row_sums_;
};

}  // namespace chainrule
