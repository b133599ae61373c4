// SPDX-License-Identifier: Apache-2.0
// How much of a matrix a kernel works on at a time. It decides speed alone: no order of summation
// depends on it.
#pragma once

#include <algorithm>
#include <cstdint>

namespace chainrule::engine {

/// Bytes of a core's data caches.
struct CacheSizes {
  std::int64_t l1 = std::int64_t{32} << 10;
  std::int64_t l2 = std::int64_t{512} << 10;
};

/// The cache sizes of this machine; common ones where the system does not report them.
const CacheSizes& cache_sizes();

/// The length of equal parts of `total`, in whole `unit`s and, if `most` is at least one, no longer
/// than that.
inline std::int64_t equal_parts(std::int64_t total, std::int64_t most, std::int64_t unit) {
  const std::int64_t units = (total + unit - 1) / unit;
  const std::int64_t units_at_most = std::max<std::int64_t>(1, most / unit);
  const std::int64_t parts = std::max<std::int64_t>(1, (units + units_at_most - 1) / units_at_most);
  return std::max<std::int64_t>(1, (units + parts - 1) / parts) * unit;
}

}  // namespace chainrule::engine
