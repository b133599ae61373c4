// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "chainrule/callback.hpp"
#include "engine/plan.hpp"
#include "engine/second_order/cholesky.hpp"
#include "engine/second_order/parameter_vector.hpp"
#include "engine/threads/occupancy.hpp"

namespace chainrule {

/// Targets of errors, and what multiplies them: rows x outputs.
struct ScaledErrors {
  const double* targets;
  const double* scales;
};

/// The Jacobian J of a network's outputs with respect to the trained parameters, row by row: the
/// gradient that a row of the batch alone gives for one output, by the network's own stages. Where
/// all of them are products of what a layer reads and what comes back, those of many rows come in
/// one pass, otherwise a pass for each row.
class Jacobian {
 public:
  using Poll = Callback<void()>;

  struct Settings {
    std::int64_t outputs;
    double work_of_row;
    int num_threads;
    const engine::Occupancy& occupancy;
  };

  /// For rows like those of x.
  Jacobian(const Graph& graph, engine::Parameters<double>& parameters, const Settings& settings,
           const Inputs& x);

  /// J^T J and J^T e of all rows.
  void normal_equations(const Inputs& x, const ScaledErrors& errors, engine::SymmetricMatrix& jj,
                        engine::Vector& je, const Poll& poll);
  /// See GaussNewton::row_gradients.
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

  /// Works out `count` rows of x from `row` on.
  void find_rows(RowPlan& own, const Inputs& x, std::int64_t row, std::int64_t count,
                 const JacobianRows& to) const;
  void find_rows_together(RowPlan& own, const Inputs& x, std::int64_t row, std::int64_t count,
                          const JacobianRows& to) const;
  void find_row(RowPlan& own, const Inputs& x, std::int64_t row, const JacobianRows& to) const;
  void add_product(const engine::GradientProduct<double>& product, std::int64_t count,
                   double* gradients, std::int64_t stride) const;
  void fill(RowPlan& own, const Inputs& x, const ScaledErrors& errors, std::int64_t row,
            std::int64_t count, std::int64_t place);
  void add_products(RowPlan& plan, engine::ThreadSlice slice, std::int64_t rows);

  const Settings settings_;
  const kernels::KernelTable<double>& kernels_;
  engine::ParameterVector vector_;
  std::int64_t outputs_;       // columns of all outputs
  std::vector<double> found_;  // outputs of the rows that are in J
  std::int64_t chunk_;         // rows of the batch that are in J at once
  int threads_;
  engine::Buffer<double> jacobian_;   // (chunk x outputs) x (parameters + 1), with the errors
  engine::SymmetricMatrix products_;  // of its columns
  std::vector<std::unique_ptr<RowPlan>> row_plans_;  // one a thread
};

}  // namespace chainrule
