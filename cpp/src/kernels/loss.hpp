// SPDX-License-Identifier: Apache-2.0
// What applies the losses to rows of raw outputs. One file each in kernels/losses has a struct with
//     value(z, t, j) and derivative(z, t, j) = d value / dz
// on a vector of outputs z and targets t that begins at column j, made of the arguments, where its
// options are. cross_entropy, which needs whole rows, has an apply_loss of its own.
// z, dz, targets: rows x columns at their strides, padded to whole vectors; row losses and weights:
// rows.
#pragma once

#include "kernels/all_losses.hpp"  // made by CMake: includes each file of kernels/losses
#include "kernels/reduce.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

template <class T, class L>
void apply_loss(const LossArgs<T>& f, L loss) {
  const T inverse_columns = T(1) / T(f.columns);
  for (int64_t i = 0; i < f.rows; ++i) {
    const T* z = f.z + i * f.z_stride;
    const T* t = f.targets + i * f.target_stride;
    const T weight = f.sample_weights ? f.sample_weights[i] : T(1);
    // Of dual numbers the gradient alone is wanted.
    if constexpr (sizeof(T) <= sizeof(double)) {
      const T sum = tree_sum_of<T>(f.columns, [&](int64_t j) CHAINRULE_LAMBDA {
        return loss.value(load(z + j), load(t + j), j);
      });
      f.row_losses[i] = weight * (sum * inverse_columns);
    }
    if (!f.dz) continue;
    const T scale = weight * f.gradient_scale * inverse_columns;
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const Vec<T> dz = scale * loss.derivative(load(z + j), load(t + j), j);
      store(f.dz + i * f.dz_stride + j, select<T>(columns_below<T>(j, f.columns), dz, Vec<T>{}));
    }
  }
}

template <class T>
void loss(const LossArgs<T>& f) {
  switch (f.kind) {
#define CHAINRULE_ROW(kind, Kernel, ...) \
  case LossKind::kind:                   \
    return apply_loss(f, Kernel<T>(f));
    CHAINRULE_LOSSES(CHAINRULE_ROW)
#undef CHAINRULE_ROW
    case LossKind::custom:
      return;  // a function that the engine calls
  }
}

}  // namespace
