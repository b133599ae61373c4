// SPDX-License-Identifier: Apache-2.0
// Random factors that are 0 with the probability `rate` and else 1 / (1 - rate). A factor depends
// on the seed, the layer, the step, the row in the batch, or with its position, and the column
// alone, so threads draw the same numbers however they share the rows out.
#pragma once

#include <cmath>
#include <cstdint>

#include "chainrule/random.hpp"
#include "engine/stages/stage.hpp"

namespace chainrule::engine {

/// factors: rows x columns, of which the given rows are written; rate: in (0, 1). A word of 32
/// random bits below rate 2^32 drops an entry. The stream of words is the layer's and the step's.
template <class T>
void dropout_factors(const kernels::KernelTable<T>& kernels, const Step<T>& step,
                     const RandomPlace& random, double rate, Range rows, std::int64_t columns,
                     T* factors, std::int64_t stride) {
  const auto threshold = static_cast<std::uint32_t>(std::ldexp(rate, 32));
  kernels.dropout_factors(
      {step.seed + random.offset, static_cast<std::uint32_t>(RandomUse::dropout),
       random.number << 48 | step.number, threshold, rows.begin, rows.end, columns},
      static_cast<T>(1.0 / (1.0 - rate)), factors, stride);
}

}  // namespace chainrule::engine
