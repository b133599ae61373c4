// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/buffer.hpp"
#include "engine/second_order/vectors.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// A symmetric matrix of double by its upper triangle, row after row, and what a Cholesky
/// factorization A = U^T U makes of it. Sums run in index order, on any instruction set.
class SymmetricMatrix {
 public:
  explicit SymmetricMatrix(std::int64_t size)
      : size_(size),
        stride_(row_stride<double>(size + 1)),
        values_(size * stride_),
        scales_(size) {}

  /// Row i has A(i, j), or U(i, j), for j >= i. What lies before the diagonal is never read as a
  /// number of the matrix; the kernels work on whole vectors and may write there.
  std::int64_t size() const { return size_; }
  std::int64_t stride() const { return stride_; }
  double* row(std::int64_t i) { return values_.data() + i * stride_; }
  const double* row(std::int64_t i) const { return values_.data() + i * stride_; }
  void clear() { values_.clear(); }
  void copy_from(const SymmetricMatrix& other) { values_.copy_from(other.values_); }

  /// Makes this U, and of b, if it is given, U^-T b; false where the matrix is not positive
  /// definite.
  bool factorize(const kernels::KernelTable<double>& kernels, int num_threads, double* b = nullptr);

  // Of U.
  /// b becomes U^-1 b.
  void solve(double* b) const;
  /// b becomes U^-T b.
  void solve_transposed(double* b) const;
  /// b becomes U^-T b. b: size x columns, padded
  void solve_transposed(double* b, std::int64_t columns, std::int64_t b_stride) const;
  /// The trace of (U^T U)^-1.
  double inverse_trace() const;

 private:
  std::int64_t size_;
  std::int64_t stride_;
  Buffer<double> values_;                                  // and a column for a right side
  Buffer<double> scales_;                                  // 1 / U(i, i)
  const kernels::KernelTable<double>* kernels_ = nullptr;  // those of the factorization
};

}  // namespace chainrule::engine
