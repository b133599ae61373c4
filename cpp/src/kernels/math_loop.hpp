// SPDX-License-Identifier: Apache-2.0
// The elementary functions over arrays, as the accuracy tool and the tests call them.
#pragma once

#include "kernels/math.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

template <class T, class F>
void map_array(const T* x, T* y, int64_t n, F f) {
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) store(y + i, f(load(x + i)));
  if (i == n) return;
  T last[kLanes<T>] = {};
  for (int64_t j = i; j < n; ++j) last[j - i] = x[j];
  store(last, f(load(last)));
  for (int64_t j = i; j < n; ++j) y[j] = last[j - i];
}

template <class T>
void math_array(MathFunction function, const T* x, T* y, int64_t n) {
  switch (function) {
    case MathFunction::exp:
      return map_array(x, y, n, [](Vec<T> v) CHAINRULE_LAMBDA { return math::exp<T>(v); });
    case MathFunction::expm1:
      return map_array(x, y, n, [](Vec<T> v) CHAINRULE_LAMBDA { return math::expm1<T>(v); });
    case MathFunction::log:
      return map_array(x, y, n, [](Vec<T> v) CHAINRULE_LAMBDA { return math::log<T>(v); });
    case MathFunction::log1p:
      return map_array(x, y, n, [](Vec<T> v) CHAINRULE_LAMBDA { return math::log1p<T>(v); });
    case MathFunction::tanh:
      return map_array(x, y, n, [](Vec<T> v) CHAINRULE_LAMBDA { return math::tanh<T>(v); });
    case MathFunction::sigmoid:
      return map_array(x, y, n, [](Vec<T> v) CHAINRULE_LAMBDA { return math::sigmoid<T>(v); });
    case MathFunction::erf:
      return map_array(x, y, n, [](Vec<T> v) CHAINRULE_LAMBDA { return math::erf<T>(v); });
    case MathFunction::sin_pi:
      return map_array(x, y, n, [](Vec<T> v) CHAINRULE_LAMBDA { return math::sin_pi<T>(v); });
    case MathFunction::cos_pi:
      return map_array(x, y, n, [](Vec<T> v) CHAINRULE_LAMBDA { return math::cos_pi<T>(v); });
  }
}

}  // namespace
