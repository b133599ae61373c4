// SPDX-License-Identifier: Apache-2.0
// The table of losses, one row each, of raw outputs o and targets t, by output. It includes no
// standard header, so that the kernels' closed units can include it.
#pragma once

#include "chainrule/cxx20.hpp"

// row(kind, Kernel, Options, link):
//   kind     the name in descriptions, and of the file in src/kernels/losses (value and derivative)
//   Kernel   the struct in the former
//   Options  the alternative of Loss::Options that holds its options
//   link     the Loss::Link that makes predictions of outputs
// clang-format off
#define CHAINRULE_LOSSES(row) \
  row(mse,                  SquaredError,       NoOptions,          identity)    /* (o - t)^2 */ \
  row(mae,                  AbsoluteError,      NoOptions,          identity)    /* |o - t| */ \
  row(huber,                Huber,              Huber,              identity)    /* d = |o - t|: d^2 / 2 for d <= delta, else delta (d - delta / 2) */ \
  row(log_cosh,             LogCosh,            NoOptions,          identity)    /* log(cosh(o - t)) */ \
  row(cross_entropy,        CrossEntropy,       CrossEntropy,       softmax)     /* -sum_j q_j log softmax(o)_j, q = (1 - smoothing) t + smoothing / n */ \
  row(binary_cross_entropy, BinaryCrossEntropy, BinaryCrossEntropy, sigmoid)     /* -t log sigmoid(o) - (1 - t) log(1 - sigmoid(o)) */ \
  row(hinge,                Hinge,              NoOptions,          identity)    /* max(0, 1 - s o), s = 1 for t > 0, else -1 */ \
  row(quantile,             Quantile,           Quantile,           identity)    /* q max(0, t - o) + (1 - q) max(0, o - t) */ \
  row(poisson,              Poisson,            Poisson,            exponential) /* exp(o) - t o */
// clang-format on

namespace chainrule {

#define CHAINRULE_ROW(kind, ...) kind,
enum class LossKind : int {
  CHAINRULE_LOSSES(CHAINRULE_ROW) custom  // a function of the program's, which no kernel knows
};
#undef CHAINRULE_ROW

}  // namespace chainrule
