// SPDX-License-Identifier: Apache-2.0
// By blocks of rows: what the rows above have made is taken from a block, the block's own columns
// become those of U, and the columns behind follow.
#include "engine/second_order/cholesky.hpp"

#include <algorithm>
#include <vector>

namespace chainrule::engine {

bool SymmetricMatrix::factorize(const kernels::KernelTable<double>& kernels) {
  constexpr std::int64_t block = 48;  // rows, several tiles
  constexpr std::int64_t line = kernels::kRowAlignment<double>;
  std::vector<double> scales(static_cast<std::size_t>(size_));
  double* const a = values_.data();
  for (std::int64_t begin = 0; begin < size_; begin += block) {
    const std::int64_t end = std::min(size_, begin + block);
    const std::int64_t first = begin / line * line;
    const std::int64_t behind = padded<double>(end);
    kernels.subtract_products({a, stride_, a, stride_, begin, end, first, stride_, scales.data()});
    if (!kernels.factorize_rows({a, stride_, a, stride_, begin, end, first, behind, scales.data()},
                                scales.data()))
      return false;
    kernels.solve_rows({a, stride_, a, stride_, begin, end, behind, stride_, scales.data()});
  }
  return true;
}

void SymmetricMatrix::solve(double* b) const {
  solve_transposed(b, 1, 1);
  for (std::int64_t i = size_; i-- > 0;) {
    const std::int64_t left = size_ - i - 1;
    b[i] = (b[i] - dot(row(i) + i + 1, b + i + 1, left)) / row(i)[i];
  }
}

void SymmetricMatrix::solve_transposed(double* b, std::int64_t count, std::int64_t b_stride) const {
  if (count == 1 && b_stride == 1) {
    for (std::int64_t i = 0; i < size_; ++i) {
      b[i] /= row(i)[i];
      add_multiple(-b[i], row(i) + i + 1, b + i + 1, size_ - i - 1);
    }
    return;
  }
  for (std::int64_t i = 0; i < size_; ++i) {
    double* const mine = b + i * b_stride;
    for (std::int64_t c = 0; c < count; ++c) mine[c] /= row(i)[i];
    for (std::int64_t k = i + 1; k < size_; ++k)
      add_multiple(-row(i)[k], mine, b + k * b_stride, count);
  }
}

/// The sum of squares of V = U^-1, whose rows come from the last to the first:
/// V(i, :) = (e_i - sum over k > i of U(i, k) V(k, :)) / U(i, i)
double SymmetricMatrix::inverse_trace() const {
  Buffer<double> inverse(size_ * stride_);
  double trace = 0.0;
  for (std::int64_t i = size_; i-- > 0;) {
    double* const mine = inverse.data() + i * stride_;
    for (std::int64_t k = i + 1; k < size_; ++k)
      add_multiple(-row(i)[k], inverse.data() + k * stride_ + k, mine + k, size_ - k);
    mine[i] = 1.0;
    for (std::int64_t j = i; j < size_; ++j) mine[j] /= row(i)[i];
    trace += dot(mine + i, mine + i, size_ - i);
  }
  return trace;
}

}  // namespace chainrule::engine
