// SPDX-License-Identifier: Apache-2.0
// y = x + stddev n, n a normal variate of (layer, step, row, column), so threads cannot matter: one
// word a number, worked out in double for float too. x, y: rows x columns at `stride`; y's padding
// is x's.
#pragma once

#include "kernels/normal.hpp"
#include "kernels/philox.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

template <class T>
void gaussian_noise(const RandomRows& f, double stddev, const T* x, T* y, int64_t stride) {
  const int64_t blocks_per_row = (f.columns + 3) / 4;
  for (int64_t row = f.row_begin; row < f.row_end; ++row) {
    const T* from = x + row * stride;
    T* to = y + row * stride;
    for (int64_t first = 0; first < f.columns; first += 4 * kWords) {
      const PhiloxBlock block = random_blocks(
          f.seed, f.use, f.stream, f.first_block + uint64_t(row * blocks_per_row + first / 4));
      for (int w = 0; w < 4; ++w) {
        const Real noise = stddev * normal_of(block.word[w]);
        for (int i = 0; i < kWords; ++i) {
          const int64_t column = first + 4 * i + w;
          if (column < f.columns) to[column] = from[column] + T(noise[i]);
        }
      }
    }
    for (int64_t column = f.columns; column < stride; ++column) to[column] = from[column];
  }
}

}  // namespace
