// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/buffer.hpp"
#include "engine/second_order/cholesky.hpp"
#include "engine/second_order/parameter_vector.hpp"
#include "engine/stages/stage.hpp"

namespace chainrule::engine {

/// J^T J and J^T e where the rows of J are products of what layers read, a, and what comes back to
/// them, d. Of two layers, which may be the same one:
///
///   d^2 sum / dW_p(i, j) dW_q(k, l)
///     = sum over rows r of a_p(r, i) a_q(r, k) sum over outputs o of d_p(r, o, j) d_q(r, o, l)
///
/// which is a product of two matrices, one of pairs (i, k) and one of pairs (j, l). (Martens &
/// Grosse, "Optimizing neural networks with Kronecker-factored approximate curvature", 2015,
/// approximate it by the product of both sums; here it is exact.) Where both layers are the same,
/// half of the pairs do: a quarter of the products. A bias is the weight of an input 1, and the
/// errors are a layer of their own that reads 1 alone. With a single output, the products of two
/// different layers come from their columns of J, which are fewer than the pairs. Rows are added in
/// their order.
class ProductGram {
 public:
  /// `products`: one for each parameter of the vector, without shared ones. `batch`: most rows.
  ProductGram(const kernels::KernelTable<double>& kernels, const ParameterVector& vector,
              const std::vector<GradientProduct<double>>& products, std::int64_t outputs,
              std::int64_t batch, std::int64_t rows);

  /// Begins sums.
  void clear();
  /// Takes what has come back to the layers from one output, in rows [rows.begin, rows.end) of the
  /// batch, and their errors: 1 for each row and output.
  void take(std::int64_t output, Range rows, const double* errors, std::int64_t error_stride);
  /// Adds the rows of a batch, from which all was taken; called by all threads of a team.
  void add(ThreadContext& context, std::int64_t rows);
  /// The sums: J^T J, and J^T e.
  void finish(SymmetricMatrix& jj, Vector& je) const;

 private:
  /// What a layer reads and what comes back to it.
  struct Factor {
    std::int64_t inputs;  // with the 1 of a bias
    std::int64_t units;
    Tensor<double> x, dy;              // no memory: the errors' factor
    std::vector<std::int64_t> places;  // in the vector of the parameters of each input
    std::int64_t first_input;          // in a row of inputs_
    std::int64_t first_delta;          // in a row of deltas_
    std::int64_t delta_stride;         // from one output to the next
  };
  /// Some columns of what is worked out of each row.
  struct Columns {
    std::int64_t group;   // numbers of a row before those of its group in pairs_
    std::int64_t stride;  // of the group's rows
    std::int64_t count;
    std::int64_t offset = 0;  // in a row of the group
  };
  /// (rows x columns) sums over all rows of the data, of the products of two groups of columns.
  struct Sums {
    Columns rows, columns;
    kernels::PanelShape shape;
    std::int64_t first;  // in sums_
  };
  /// Pairs of two factors' inputs by pairs of their units.
  struct PairBlock {
    std::size_t p, q;  // factors
    Columns inputs, units;
    bool inputs_are_columns;
    Sums sums;
  };
  /// Columns of J by columns of J and e, from `row` and `column` on.
  struct RowBlock {
    std::int64_t row, column;
    bool swapped;  // the columns are the sums' rows
    Sums sums;
  };
  /// A panel of sums, with what is to be done before it.
  struct Task {
    Sums sums;
    std::int64_t panel;
    std::int64_t rows;  // the first ones of the sums
    double before, work;
  };

  void add_factor(const ParameterVector& vector, const GradientProduct<double>& product);
  bool can_use_rows(std::int64_t parameters) const;
  void add_pair_block(std::size_t p, std::size_t q);
  void add_row_blocks(std::int64_t parameters);
  static bool should_swap(const Columns& a, const Columns& b);
  Sums add_sums(const Columns& rows, const Columns& columns, bool upper);
  void make_inputs(Range rows, std::int64_t first);
  void make_pairs(Range rows, std::int64_t first);
  void make_rows(Range rows, std::int64_t first);
  void add_products(const Task& task, std::int64_t rows);
  void put(const PairBlock& block, SymmetricMatrix& jj, Vector& je) const;
  void put(const RowBlock& block, SymmetricMatrix& jj, Vector& je) const;

  /// Row i of some columns in the chunk's pairs.
  double* place_of(const Columns& columns, std::int64_t row) {
    return pairs_.data() + columns.group * chunk_ + row * columns.stride + columns.offset;
  }

  const kernels::KernelTable<double>& kernels_;
  std::int64_t outputs_;
  std::vector<Factor> factors_;  // the first is the errors'
  std::vector<PairBlock> pair_blocks_;
  std::vector<RowBlock> row_blocks_;
  Columns rows_{0, 0, 0};  // of J, and e; none: all by pairs
  std::vector<Task> tasks_;
  double work_ = 0.0;
  std::int64_t chunk_ = 0;  // rows whose pairs are worked out at once
  std::int64_t input_stride_ = 0;
  std::int64_t delta_stride_ = 0;
  std::int64_t pair_numbers_ = 0;  // of a row
  std::int64_t sum_numbers_ = 0;
  Buffer<double> inputs_;  // chunk x input_stride
  Buffer<double> deltas_;  // batch x delta_stride
  Buffer<double> pairs_;   // group after group, each chunk x stride
  Buffer<double> sums_;
};

}  // namespace chainrule::engine
