// SPDX-License-Identifier: Apache-2.0
// By blocks of rows: what the rows above have made is taken from a block at once, as a product
// U[above, block]^T U[above, :] by the kernel for weight gradients, and then row by row.
#include "engine/second_order/cholesky.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace chainrule::engine {
namespace {

constexpr std::int64_t kBlock = 16;

}  // namespace

bool SymmetricMatrix::factorize(const kernels::KernelTable<double>& kernels) {
  const kernels::PanelShape shape{size_, size_, kernels.panel, kernels::kRowAlignment<double>};
  Buffer<double> tile(kBlock * kernels.panel);
  for (std::int64_t begin = 0; begin < size_; begin += kBlock) {
    const std::int64_t end = std::min(size_, begin + kBlock);
    for (std::int64_t p = begin / shape.panel; begin > 0 && p < shape.panels(); ++p) {
      kernels.weight_gradient({shape, p, begin, end, begin, values_.data(), stride_, values_.data(),
                               stride_, tile.data(), begin, nullptr});
      const std::int64_t width = shape.width(p);
      for (std::int64_t i = begin; i < end; ++i)
        add_multiple(-1.0, tile.data() + (i - begin) * width, row(i) + p * shape.panel, width);
    }
    for (std::int64_t i = begin; i < end; ++i) {
      double* const mine = row(i);
      const std::int64_t left = stride_ - i;
      for (std::int64_t k = begin; k < i; ++k) add_multiple(-row(k)[i], row(k) + i, mine + i, left);
      if (!(mine[i] > 0.0) || !std::isfinite(mine[i])) return false;
      const double scale = 1.0 / std::sqrt(mine[i]);
      for (std::int64_t j = i; j < size_; ++j) mine[j] *= scale;
    }
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
