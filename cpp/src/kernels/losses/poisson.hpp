// SPDX-License-Identifier: Apache-2.0
// exp(z) - t z, of derivative exp(z) - t: the Poisson likelihood with a log link, without the term
// that depends on t alone.
#pragma once

#include "kernels/math.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

template <class T>
struct Poisson {
  CHAINRULE_INLINE explicit Poisson(const chainrule::kernels::LossArgs<T>&) {}
  CHAINRULE_INLINE Vec<T> value(Vec<T> z, Vec<T> t, int64_t) const {
    return math::exp<T>(z) - t * z;
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> t, int64_t) const {
    return math::exp<T>(z) - t;
  }
};

}  // namespace
