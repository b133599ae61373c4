// SPDX-License-Identifier: Apache-2.0
#include "chainrule/activation.hpp"

#include "chainrule/layers.hpp"
#include "engine/stages/activation.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {

kernels::ActivationKind kernel_kind(Activation::Kind kind) {
  switch (kind) {
    case Activation::Kind::linear:
      return kernels::ActivationKind::linear;
    case Activation::Kind::relu:
      return kernels::ActivationKind::relu;
    case Activation::Kind::leaky_relu:
      return kernels::ActivationKind::leaky_relu;
    case Activation::Kind::elu:
      return kernels::ActivationKind::elu;
    case Activation::Kind::gelu:
      return kernels::ActivationKind::gelu;
    case Activation::Kind::gelu_tanh:
      return kernels::ActivationKind::gelu_tanh;
    case Activation::Kind::silu:
      return kernels::ActivationKind::silu;
    case Activation::Kind::sigmoid:
      return kernels::ActivationKind::sigmoid;
    case Activation::Kind::tanh:
      return kernels::ActivationKind::tanh;
    case Activation::Kind::softplus:
      return kernels::ActivationKind::softplus;
    case Activation::Kind::softmax:
      return kernels::ActivationKind::softmax;
  }
  return kernels::ActivationKind::linear;
}

// x, y: rows x columns; an entry for itself, but for softmax, which takes a row together
template <class T>
void ActivationStage<T>::forward(const Step<T>& step, ThreadSlice slice) {
  const Range rows = step.rows_of(slice);
  kernels_.activation_forward(arguments(rows.size(), this->x.stride), this->x.row(rows.begin),
                              this->y.row(rows.begin));
}

// x, y, dy, dx: rows x columns
template <class T>
void ActivationStage<T>::backward(const Step<T>& step, ThreadSlice slice) {
  if (!this->dx.data) return;
  const Range rows = step.rows_of(slice);
  kernels_.activation_backward(arguments(rows.size(), this->x.stride), this->x.row(rows.begin),
                               this->y.row(rows.begin), this->dy.row(rows.begin),
                               this->dx.row(rows.begin));
}

template <class T>
void ActivationStage<T>::infer(const InferArgs<T>& p) const noexcept {
  kernels_.activation_forward(arguments(p.rows, p.x_stride), p.x, p.y);
}

template <class T>
kernels::ActivationArgs<T> ActivationStage<T>::arguments(std::int64_t rows,
                                                         std::int64_t stride) const {
  return {kernel_kind(activation_.kind), static_cast<T>(activation_.parameter), rows, columns_,
          stride};
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

template class ActivationStage<float>;
template class ActivationStage<double>;
template void append_activation(const Activation&, const StageContext<float>&, std::int64_t,
                                Stages<float>&);
template void append_activation(const Activation&, const StageContext<double>&, std::int64_t,
                                Stages<double>&);
template void add_activation(const Layer&, const StageContext<float>&, Stages<float>&);
template void add_activation(const Layer&, const StageContext<double>&, Stages<double>&);

}  // namespace chainrule::engine
