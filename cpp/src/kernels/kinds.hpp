// SPDX-License-Identifier: Apache-2.0
// The enumerations that select a kernel.
#pragma once

namespace chainrule::kernels {

enum class MathFunction : int { exp, expm1, log, log1p, tanh, sigmoid, erf };

enum class ActivationKind : int {
  linear,
  relu,
  leaky_relu,
  elu,
  gelu,
  gelu_tanh,
  silu,
  sigmoid,
  tanh,
  softplus,
  softmax,
  exponential
};

enum class LossKind : int {
  mse,
  mae,
  huber,
  log_cosh,
  cross_entropy,
  binary_cross_entropy,
  hinge,
  quantile,
  poisson
};

enum class OptimizerKind : int { sgd, adagrad, rmsprop, adam, adamw, adadelta, lion };

enum class SourceType : int { uint8, float32, float64, int32, int64 };

}  // namespace chainrule::kernels
