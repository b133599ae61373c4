// SPDX-License-Identifier: Apache-2.0
#include "engine/stages/activated_sum.hpp"

#include <algorithm>
#include <array>

namespace chainrule::engine {

template <class T>
bool ActivatedSumStage<T>::takes(Activation::Kind kind) {
  switch (kind) {
    case Activation::Kind::relu:  // both are positive, or none is
    case Activation::Kind::leaky_relu:
    case Activation::Kind::gelu:
    case Activation::Kind::gelu_tanh:
    case Activation::Kind::silu:
    case Activation::Kind::mish:
    case Activation::Kind::softplus:
    case Activation::Kind::softsign:
    case Activation::Kind::hard_swish:
      return true;
    default:
      return false;
  }
}

template <class T>
Cost ActivatedSumStage<T>::cost(std::int64_t rows) const {
  const std::int64_t tensors = this->dy.data ? 6 : 3;
  return {0.0, static_cast<double>(rows * tensors * columns_) * sizeof(T)};
}

// xs, y: rows x columns
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

// xs, dy, dxs: rows x columns
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
