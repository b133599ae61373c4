// SPDX-License-Identifier: Apache-2.0
// As many multiply-adds as the processor can do: what all other kernels are measured by.
#pragma once

#include "kernels/simd.hpp"

namespace {

/// Runs `steps` steps of independent chains of multiply-adds, leaves one value so that they are not
/// optimised away, and returns the number of operations, two a lane and multiply-add.
template <class T>
int64_t fma_chains(int64_t steps, T* value) {
  constexpr int chains = 12;
  const Vec<T> factor = broadcast(T(0.5));
  Vec<T> sum[chains];
  for (int c = 0; c < chains; ++c) sum[c] = broadcast(T(c));
  for (int64_t i = 0; i < steps; ++i) {
    for (int c = 0; c < chains; ++c) sum[c] = fma(sum[c], factor, factor);
  }
  for (int c = 1; c < chains; ++c) sum[0] += sum[c];
  *value = sum[0][0];
  return steps * chains * kLanes<T> * 2;
}

}  // namespace
