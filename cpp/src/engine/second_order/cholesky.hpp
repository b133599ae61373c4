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
      : size_(size), stride_(padded<double>(size)), values_(size * stride_) {}

  std::int64_t size() const { return size_; }
  std::int64_t stride() const { return stride_; }
  double* row(std::int64_t i) { return values_.data() + i * stride_; }
  const double* row(std::int64_t i) const { return values_.data() + i * stride_; }
  void clear() { values_.clear(); }
  void copy_from(const SymmetricMatrix& other) { values_.copy_from(other.values_); }

  /// Makes this U; false where the matrix is not positive definite.
  bool factorize(const kernels::KernelTable<double>& kernels);

  // Of U.
  /// b becomes the solution x of U^T U x = b.
  void solve(double* b) const;
  /// Each of `count` columns b becomes U^-T b. b: size x count
  void solve_transposed(double* b, std::int64_t count, std::int64_t b_stride) const;
  /// The trace of (U^T U)^-1.
  double inverse_trace() const;

 private:
  std::int64_t size_;
  std::int64_t stride_;
  Buffer<double> values_;
};

}  // namespace chainrule::engine
