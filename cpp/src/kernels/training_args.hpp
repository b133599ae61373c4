// SPDX-License-Identifier: Apache-2.0
// What losses and updates read and write.
#pragma once

#include <stdint.h>

#include "kernels/kinds.hpp"

namespace chainrule::kernels {

template <class T>
struct LossArgs {
  LossKind kind;
  T delta;            // huber
  T label_smoothing;  // cross_entropy
  int64_t rows, columns;
  const T* z;  // raw outputs
  int64_t z_stride;
  const int32_t* labels;  // cross_entropy over labels; else null
  const T* targets;       // one row per row of z; else null
  int64_t target_stride;
  const T* row_weights;    // null: all 1
  const T* class_weights;  // null, or `columns` values padded like a row (cross_entropy)
  const T* quantiles;      // quantile: `columns` values, the quantile of each output, padded
  T gradient_scale;        // 1 / sum of the batch's weights
  T* dz;                   // null: no gradient wanted
  int64_t dz_stride;
  T* row_losses;  // weighted
};

/// The numbers of one optimizer step, with everything that depends on the step already worked out.
template <class T>
struct UpdateRule {
  OptimizerKind kind;
  bool nesterov, centered, amsgrad, has_momentum, first_step;
  T learning_rate, momentum, one_minus_dampening;
  T beta1, one_minus_beta1, beta2, one_minus_beta2;
  T rho, one_minus_rho, epsilon, weight_decay, decay_factor;
  T step_size, inverse_root_correction;  // Adam: lr / (1 - beta1^t) and 1 / sqrt(1 - beta2^t)
  T clip_value;                          // 0: off
  T gradient_factor;                     // clipping by global norm; 1: off
};

template <class T>
struct UpdateArgs {
  T* weight;
  const T* gradient;
  T* slot0;
  T* slot1;
  T* slot2;
  int64_t size;
  T l1, l2;
  // Entries of a later call, counted from the first of these, to prefetch meanwhile.
  int64_t prefetch_offset = 0, prefetch_size = 0;
};

}  // namespace chainrule::kernels
