// SPDX-License-Identifier: Apache-2.0
// y = f(x) and dx = f'(x) dy, an entry at a time but for softmax, whose rows belong together. The
// kernels get x and y for the derivative, which is cheaper from the one or the other.
#include "chainrule/activation.hpp"

#include <array>

#include "chainrule/layers.hpp"
#include "engine/instantiate.hpp"
#include "engine/stages/activation.hpp"
#include "engine/stages/stages.hpp"
#include "model/activation_row.hpp"

namespace chainrule::engine {

template <class T>
kernels::ActivationFunction<T> kernel_function(const Activation& activation) {
  const std::array<double, 2> parameters = model::kernel_parameters(activation);
  return {activation.kind, {static_cast<T>(parameters[0]), static_cast<T>(parameters[1])}};
}

#ifndef CHAINRULE_DUAL_NUMBERS
DerivativeReads derivative_reads(Activation::Kind kind) {
  using Kind = Activation::Kind;
  switch (kind) {
    case Kind::gelu:
    case Kind::gelu_tanh:
    case Kind::hard_swish:
    case Kind::leaky_relu:
    case Kind::mish:
    case Kind::silu:
    case Kind::softplus:
    case Kind::softsign:
      return {.x = true, .y = false};
    case Kind::exponential:
    case Kind::hard_sigmoid:
    case Kind::relu:
    case Kind::relu6:
    case Kind::sigmoid:
    case Kind::softmax:
    case Kind::tanh:
      return {.x = false, .y = true};
    default:
      return {.x = true, .y = true};
  }
}
#endif

// y = f(x)
// x, y: rows x columns at one stride; each thread its rows of the batch, with all of their
// positions
template <class T>
void ActivationStage<T>::forward(const Step<T>& step, ThreadContext& context) {
  const Range rows = this->rows_of(step, context.slice());
  kernels_.activation_forward(arguments(rows.size(), this->x.stride), this->x.row(rows.begin),
                              this->y.row(rows.begin));
}

// dx = f'(x) dy; of softmax dx = y (dy - sum over the columns of y dy)
// x, y, dy, dx: rows x columns. Where nothing below has parameters there is no dx.
template <class T>
void ActivationStage<T>::backward(const Step<T>& step, ThreadContext& context) {
  if (!this->dx.data) return;
  const Range rows = this->rows_of(step, context.slice());
  kernels_.activation_backward(arguments(rows.size(), this->x.stride), this->x.row(rows.begin),
                               this->y.row(rows.begin), this->dy.row(rows.begin),
                               this->dx.row(rows.begin));
}

// y = f(x), in place. x, y: rows x columns at x's stride
template <class T>
void ActivationStage<T>::infer(const InferArgs<T>& p) const noexcept {
  kernels_.activation_forward(arguments(p.rows, p.x_stride), p.x, p.y);
}

template <class T>
kernels::ActivationArgs<T> ActivationStage<T>::arguments(std::int64_t rows,
                                                         std::int64_t stride) const {
  return {function_, rows, columns_, stride};
}

template <class T>
void append_activation(const Activation& activation, const StageContext<T>& context,
                       std::int64_t columns, Stages<T>& stages) {
  if (activation.kind == Activation::Kind::linear) return;
  stages.push_back(std::make_unique<ActivationStage<T>>(context.kernels, activation, columns));
}

template <class T>
void add_activation(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  append_activation(dynamic_cast<const ActivationLayer&>(layer).activation, context, context.inputs,
                    stages);
}

#define CHAINRULE_MEMBERS(T)                                                               \
  template kernels::ActivationFunction<T> kernel_function(const Activation&);              \
  template class ActivationStage<T>;                                                       \
  template void append_activation(const Activation&, const StageContext<T>&, std::int64_t, \
                                  Stages<T>&);
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS
CHAINRULE_INSTANTIATE_FACTORY(add_activation)

}  // namespace chainrule::engine
