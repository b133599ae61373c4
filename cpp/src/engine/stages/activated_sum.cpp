// SPDX-License-Identifier: Apache-2.0
#include "engine/stages/activated_sum.hpp"

#include <algorithm>
#include <array>

namespace chainrule::engine {

template <class T>
bool ActivatedSumStage<T>::takes(Activation::Kind kind) {
  // The others work from their output, which has no tensor here. Both of relu are positive, or none
  // is.
  return kind == Activation::Kind::relu || !derivative_reads(kind).y;
}

template <class T>
Cost ActivatedSumStage<T>::cost(std::int64_t rows) const {
  // Forward x0, x1 and y; backward dy, the input of f and its gradient.
  const std::int64_t tensors = this->dy.data ? 6 : 3;
  return {0.0, static_cast<double>(rows * tensors * columns_) * sizeof(T)};
}

// y = x0 + x1, with f(x1) or f(x0) in the place of that term
// xs, y: rows x columns. Some rows of f are written to y and added to in place while they are in
// L1. The merge kernel gets both terms in their order, so that the bits are those of an activation
// and a sum by themselves.
template <class T>
void ActivatedSumStage<T>::forward(const Step<T>& step, ThreadContext& context) {
  constexpr std::int64_t in_l1 = 8192 / std::int64_t{sizeof(T)};
  const std::int64_t stride = this->y.stride;
  const std::int64_t most = std::max<std::int64_t>(1, in_l1 / stride);
  const Range rows = this->rows_of(step, context.slice());
  for (std::int64_t first = rows.begin; first < rows.end; first += most) {
    const std::int64_t count = std::min(most, rows.end - first);
    T* sum = this->y.row(first);
    kernels_.activation_forward({function_, count, columns_, stride}, this->xs[term_].row(first),
                                sum);
    std::array<const T*, 2> terms{this->xs[0].row(first), this->xs[1].row(first)};
    terms[term_] = sum;
    kernels_.merge_forward({kernels::MergeKind::add, 2, terms.data(), count * stride}, sum);
  }
}

// dx = f'(x) dy of the activated term, dx = dy of the other one
// xs, dy, dxs: rows x columns. The second is a copy, and only where the plan could not use dy
// itself. The kernel takes f's input for its output too, which `takes` allows.
template <class T>
void ActivatedSumStage<T>::backward(const Step<T>& step, ThreadContext& context) {
  const Range rows = this->rows_of(step, context.slice());
  const T* given = this->dy.row(rows.begin);
  if (const Tensor<T>& to = this->dxs[term_]; to.data) {
    const T* from = this->xs[term_].row(rows.begin);
    kernels_.activation_backward({function_, rows.size(), columns_, this->y.stride}, from, from,
                                 given, to.row(rows.begin));
  }
  if (const Tensor<T>& to = this->dxs[1 - term_]; to.data)
    std::copy_n(given, rows.size() * this->y.stride, to.row(rows.begin));
}

template class ActivatedSumStage<float>;
template class ActivatedSumStage<double>;

}  // namespace chainrule::engine
