// SPDX-License-Identifier: Apache-2.0
// What losses and updates read and write.
#pragma once

#include <stdint.h>

#include "chainrule/optimizers.hpp"
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
  const T* sample_weights;  // `rows`, times those of the labels' classes; null: all 1
  const T* class_weights;   // null, or `columns` values padded like a row (cross_entropy)
  const T* quantiles;       // quantile: `columns` values, the quantile of each output, padded
  T gradient_scale;         // 1 / sum of the batch's weights
  T* dz;                    // null: no gradient wanted
  int64_t dz_stride;
  T* row_losses;  // weighted
};

/// What is done to gradients before the optimizer's rule sees them.
template <class T>
struct GradientRule {
  T clip_value;  // 0: off
  T factor;      // clipping by global norm; 1: off
};

/// One optimizer step, with everything that depends on the step already worked out.
template <class T>
struct UpdateRule {
  OptimizerKind kind;
  GradientRule<T> gradient;
  alignas(8) unsigned char numbers[128];  // the Rule of the kind: optimizers/rule.hpp

  /// Each unit has its own types of rules, which are laid out alike.
  template <class R>
  R numbers_as() const {
    static_assert(sizeof(R) <= sizeof(numbers) && __is_trivially_copyable(R));
    R rule;
    __builtin_memcpy(&rule, numbers, sizeof(R));
    return rule;
  }
};

template <class T>
struct UpdateArgs {
  T* weight;
  const T* gradient;
  T* slots[kMostOptimizerSlots];  // null: not kept
  int64_t size;
  T l1, l2;
  // Entries of a later call, counted from the first of these, to prefetch meanwhile.
  int64_t prefetch_offset = 0, prefetch_size = 0;
  T scale = T(1);  // of rules that need whole gradients: the parameter's
};

}  // namespace chainrule::kernels
