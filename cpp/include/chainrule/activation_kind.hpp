// SPDX-License-Identifier: Apache-2.0
// The table of activations, one row each. It includes no standard header, so that the kernels'
// closed units can include it.
#pragma once

#include "chainrule/cxx20.hpp"

// row(kind, Kernel, Options, initializer, low, high):
//   kind         the name in descriptions, and of the file in src/kernels/activations (value and
//                derivative)
//   Kernel       the struct in the former
//   Options      the alternative of Activation::Options that holds its options
//   initializer  the Initializer::Kind of weights that feed it
//   low, high    the interval of its values; `o` are its options; infinite ends are not reached
// clang-format off
#define CHAINRULE_ACTIVATIONS(row) \
  row(linear,       Linear,      NoOptions,   glorot_uniform, -infinity, infinity) /* z */ \
  row(relu,         Relu,        NoOptions,   he_uniform,     0.0,       infinity) /* max(0, z) */ \
  row(leaky_relu,   LeakyRelu,   LeakyRelu,   he_uniform,     o.negative_slope > 0 ? -infinity : 0.0, infinity) /* z for z > 0, else negative_slope z */ \
  row(elu,          Elu,         Elu,         he_uniform,     -o.alpha,  infinity) /* z for z > 0, else alpha (exp(z) - 1) */ \
  row(gelu,         Gelu,        NoOptions,   he_uniform,     -0.17005,  infinity) /* z Phi(z), Phi of the normal distribution */ \
  row(gelu_tanh,    GeluTanh,    NoOptions,   he_uniform,     -0.17005,  infinity) /* gelu's approximation by tanh */ \
  row(silu,         Silu,        NoOptions,   he_uniform,     -0.27847,  infinity) /* z sigmoid(z) */ \
  row(sigmoid,      Sigmoid,     NoOptions,   glorot_uniform, 0.0,       1.0)      /* 1 / (1 + exp(-z)) */ \
  row(tanh,         Tanh,        NoOptions,   glorot_uniform, -1.0,      1.0)      /* tanh(z) */ \
  row(softplus,     Softplus,    NoOptions,   he_uniform,     0.0,       infinity) /* log(1 + exp(z)) */ \
  row(selu,         Selu,        NoOptions,   lecun_normal,   -1.7581,   infinity) /* 1.0507 z for z > 0, else 1.7581 (exp(z) - 1) */ \
  row(mish,         Mish,        NoOptions,   he_uniform,     -0.30885,  infinity) /* z tanh(log(1 + exp(z))) */ \
  row(hard_sigmoid, HardSigmoid, HardSigmoid, glorot_uniform, 0.0,       1.0)      /* min(1, max(0, alpha z + beta)) */ \
  row(hard_swish,   HardSwish,   NoOptions,   he_uniform,     -0.375,    infinity) /* z min(6, max(0, z + 3)) / 6 */ \
  row(relu6,        Relu6,       NoOptions,   he_uniform,     0.0,       6.0)      /* min(6, max(0, z)) */ \
  row(softsign,     Softsign,    NoOptions,   glorot_uniform, -1.0,      1.0)      /* z / (1 + |z|) */ \
  row(softmax,      Softmax,     NoOptions,   glorot_uniform, 0.0,       1.0)      /* exp(z_j) / sum over k of exp(z_k) */
// clang-format on

namespace chainrule {

#define CHAINRULE_ROW(kind, ...) kind,
enum class ActivationKind : int {
  CHAINRULE_ACTIVATIONS(CHAINRULE_ROW)
  /// exp(z): the link of the loss `poisson`, not an activation of layers, so it has no row.
  exponential
};
#undef CHAINRULE_ROW

}  // namespace chainrule
