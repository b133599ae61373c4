// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"

namespace chainrule {

/// How many threads a call uses by default: CHAINRULE_NUM_THREADS, else OpenMP's limit, affinity
/// and cgroup quota.
CHAINRULE_API int default_num_threads();

/// Floating-point operations per second, two a multiply-add, that `num_threads` threads (0:
/// default) can do at most with the instruction set in use; T is float or double.
template <class T>
CHAINRULE_API double fma_peak(double seconds, int num_threads);

/// Bytes per second read and written by copies within a working set of `bytes` bytes.
CHAINRULE_API double copy_rate(std::int64_t bytes, double seconds, int num_threads);

/// Name of the instruction set in use, and of all usable ones, best first.
CHAINRULE_API std::string instruction_set();
CHAINRULE_API std::vector<std::string> instruction_sets();

/// Where threads come from: "pool", the library's own; "openmp", a parallel region of the OpenMP
/// runtime; or "serial". The environment variable CHAINRULE_THREADING_LAYER chooses one of those
/// that the build has, whose default comes first. Throws Error where it names none of them.
CHAINRULE_API std::string threading_layer();
CHAINRULE_API std::vector<std::string> threading_layers();

}  // namespace chainrule
