// SPDX-License-Identifier: Apache-2.0
// Dropout's random factors: Philox 4x32-10 over (layer, step, row, column), so threads cannot
// matter.
#pragma once

#include "kernels/philox.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

template <class T>
void dropout_factors(const DropoutArgs& f, T scale, T* factors, int64_t stride) {
  const int64_t blocks_per_row = (f.columns + 3) / 4;
  for (int64_t row = f.row_begin; row < f.row_end; ++row) {
    T* out = factors + row * stride;
    for (int64_t first = 0; first < f.columns; first += 4 * kWords) {
      const PhiloxBlock block =
          random_blocks(f.seed, f.use, f.stream, uint64_t(row * blocks_per_row + first / 4));
      for (int i = 0; i < kWords; ++i) {
        for (int w = 0; w < 4; ++w) {
          const int64_t column = first + 4 * i + w;
          if (column < f.columns) out[column] = block.word[w][i] < f.threshold ? T(0) : scale;
        }
      }
    }
  }
}

}  // namespace
