// SPDX-License-Identifier: Apache-2.0
// The factorization goes by blocks of rows: what the rows above have made is taken from a block,
// the block's own columns become those of U, and the columns behind follow, among them that of a
// right side. Threads share out the columns.
#include "engine/second_order/cholesky.hpp"

#include <algorithm>

#include "engine/threads/thread_context.hpp"
#include "engine/threads/thread_count.hpp"

namespace chainrule::engine {

namespace {

constexpr std::int64_t kBlock = 48;  // rows, several tiles

}  // namespace

// A = U^T U, (size x size), and with b: U^-T b, (size), as the column behind the last. For each
// block of rows, in this order: (1) the products of the rows above are subtracted, over all
// columns; (2) the block's own columns are factorized; (3) the columns behind are solved with it.
// Every number is the sum of its terms in index order, so blocks change no bit.
bool SymmetricMatrix::factorize(const kernels::KernelTable<double>& kernels, int num_threads,
                                double* b) {
  kernels_ = &kernels;
  double* const a = values_.data();
  double* const scales = scales_.data();
  for (std::int64_t i = 0; i < size_; ++i) row(i)[size_] = b ? b[i] : 0.0;
  const auto n = static_cast<double>(size_);
  const int threads = threads_for(n * n / 6.0, kBlock, num_threads);  // for a block of rows
  bool is_definite = true;
  run_piece(threads, [&](Team team) {
    ThreadContext context(team);
    for (std::int64_t begin = 0; begin < size_; begin += kBlock) {
      const std::int64_t end = std::min(size_, begin + kBlock);
      const std::int64_t behind = padded<double>(end);
      const Range all = context.slice().range(stride_ - begin, kernels.panel);
      kernels.subtract_products(
          {a, stride_, a, stride_, begin, end, begin + all.begin, begin + all.end, scales});
      context.barrier();
      if (context.first_thread())
        is_definite = kernels.factorize_rows(
            {a, stride_, a, stride_, begin, end, begin, behind, scales}, scales);
      context.barrier();
      if (!is_definite) return;
      const Range rest = context.slice().range(stride_ - behind, kernels.panel);
      kernels.solve_rows(
          {a, stride_, a, stride_, begin, end, behind + rest.begin, behind + rest.end, scales});
      context.barrier();
    }
  });
  for (std::int64_t i = 0; is_definite && b && i < size_; ++i) b[i] = row(i)[size_];
  return is_definite;
}

// b(i) = (b(i) - sum over j > i of U(i, j) b(j)) / U(i, i), from the last row to the first
void SymmetricMatrix::solve(double* b) const {
  for (std::int64_t i = size_; i-- > 0;)
    b[i] = (b[i] - dot(row(i) + i + 1, b + i + 1, size_ - i - 1)) * scales_.data()[i];
}

// b(i) = (b(i) - sum over k < i of U(k, i) b(k)) / U(i, i)
void SymmetricMatrix::solve_transposed(double* b) const {
  for (std::int64_t i = 0; i < size_; ++i) {
    b[i] *= scales_.data()[i];
    add_multiple(-b[i], row(i) + i + 1, b + i + 1, size_ - i - 1);
  }
}

// b(i, :) = (b(i, :) - sum over k < i of U(k, i) b(k, :)) / U(i, i), b: size x columns
void SymmetricMatrix::solve_transposed(double* b, std::int64_t columns,
                                       std::int64_t b_stride) const {
  const double* const a = values_.data();
  for (std::int64_t begin = 0; begin < size_; begin += kBlock) {
    const std::int64_t end = std::min(size_, begin + kBlock);
    const kernels::TriangularArgs<double> rows{
        a, stride_, b, b_stride, begin, end, 0, padded<double>(columns), scales_.data()};
    kernels_->subtract_products(rows);
    kernels_->solve_rows(rows);
  }
}

/// trace((U^T U)^-1) = sum of the squares of U^-T, which is U^-T times the identity. Its row i ends
/// at column i, so a block of rows needs only the columns up to its own end.
double SymmetricMatrix::inverse_trace() const {
  Buffer<double> inverse(size_ * stride_);
  const double* const a = values_.data();
  double trace = 0.0;
  for (std::int64_t begin = 0; begin < size_; begin += kBlock) {
    const std::int64_t end = std::min(size_, begin + kBlock);
    for (std::int64_t i = begin; i < end; ++i) inverse.data()[i * stride_ + i] = 1.0;
    const kernels::TriangularArgs<double> rows{
        a, stride_, inverse.data(), stride_, begin, end, 0, padded<double>(end), scales_.data()};
    kernels_->subtract_products(rows);
    kernels_->solve_rows(rows);
    for (std::int64_t i = begin; i < end; ++i) {
      const double* const mine = inverse.data() + i * stride_;
      trace += dot(mine, mine, i + 1);
    }
  }
  return trace;
}

}  // namespace chainrule::engine
