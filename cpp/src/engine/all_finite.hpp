// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace chainrule::engine {

/// Whether value(i) of type T is finite for all i in 0..count-1, in one pass that vectorises:
/// v * 0 is 0 for every finite v and NaN otherwise.
template <class T, class Value>
bool all_finite(std::int64_t count, Value value) {
  constexpr std::int64_t lanes = 16;
  T sums[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (std::int64_t k = 0; k < lanes; ++k) sums[k] += value(i + k) * T(0);
  for (; i < count; ++i) sums[0] += value(i) * T(0);
  T sum = 0;
  for (const T s : sums) sum += s;
  return sum == T(0);
}

}  // namespace chainrule::engine
