// SPDX-License-Identifier: Apache-2.0
// 1 / (1 + exp(-x)), from e = exp(-|x|) <= 1 as 1 / (1 + e) or e / (1 + e).
#pragma once

#include "kernels/math/exp.hpp"

namespace {
namespace math {

template <class T>
CHAINRULE_INLINE Vec<T> sigmoid(Vec<T> x) {
  const Vec<T> e = exp_clamped<T>(max<T>(-abs<T>(x), broadcast(ExpConstants<T>::kLow)));
  const Vec<T> one = broadcast(T(1));
  const Vec<T> sum = one + e;
  const Vec<T> lost = e - (sum - one);
  const Vec<T> reciprocal = one / sum;
  const Vec<T> numerator = select<T>(x < T(0), e, one);
  const Vec<T> y = numerator * reciprocal;
  // A Newton step on the quotient, so that e's own error is all that is left next to the last
  // rounding.
  const Vec<T> residual = fma(-y, sum, numerator) - y * lost;
  return keep_nan<T>(x, fma(residual, reciprocal, y));
}

}  // namespace math
}  // namespace
