// SPDX-License-Identifier: Apache-2.0
// It includes nothing, so that the kernels' closed units can include it.
#pragma once

namespace chainrule {

/// The losses, of raw outputs o and targets t, by output. A kind's name is also that of its files
/// in src/kernels/losses and python/chainrule/losses.
enum class LossKind : int {
  mse,                   // (o - t)^2
  mae,                   // |o - t|
  huber,                 // d = |o - t|: d^2 / 2 for d <= delta, else delta (d - delta / 2)
  log_cosh,              // log(cosh(o - t))
  cross_entropy,         // -sum_j q_j log softmax(o)_j, q = (1 - smoothing) t + smoothing / n
  binary_cross_entropy,  // -t log sigmoid(o) - (1 - t) log(1 - sigmoid(o))
  hinge,                 // max(0, 1 - s o), s = 1 for t > 0, else -1
  quantile,              // q max(0, t - o) + (1 - q) max(0, o - t)
  poisson,               // exp(o) - t o
};

}  // namespace chainrule
