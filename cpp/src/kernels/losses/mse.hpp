// SPDX-License-Identifier: Apache-2.0
// (z - t)^2, of derivative 2 (z - t).
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

template <class T>
struct SquaredError {
  CHAINRULE_INLINE explicit SquaredError(const chainrule::kernels::LossArgs<T>&) {}
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const { return (z - t) * (z - t); }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const { return T(2) * (z - t); }
};

}  // namespace
