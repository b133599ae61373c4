// SPDX-License-Identifier: Apache-2.0
// How far an elementary function's result is from the exact value, in units of the last place.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/table.hpp"

namespace chainrule::kernels {

constexpr MathFunction kMathFunctions[] = {
    MathFunction::exp,   MathFunction::expm1,  MathFunction::log,
    MathFunction::log1p, MathFunction::tanh,   MathFunction::sigmoid,
    MathFunction::erf,   MathFunction::sin_pi, MathFunction::cos_pi};

inline std::string name(MathFunction function) {
  constexpr const char* names[] = {"exp",     "expm1", "log",    "log1p", "tanh",
                                   "sigmoid", "erf",   "sin_pi", "cos_pi"};
  return names[int(function)];
}

/// A format with bits to spare, so that its own library's errors do not count.
template <class T>
struct Wider;
template <>
struct Wider<float> {
  using Type = double;
};
template <>
struct Wider<double> {
  using Type = long double;
};

template <class T>
using Wide = typename Wider<T>::Type;

/// sin(pi x), from the exact rest to the nearest whole number.
template <class W>
W sin_of_pi_times(W x) {
  const W rest = std::remainder(x, W(2));
  const W near = std::round(rest);
  const W sine = std::sin(std::acos(W(-1)) * (rest - near));
  return std::abs(near) == 1 ? -sine : sine;
}

template <class T>
Wide<T> exact_value(MathFunction function, T argument) {
  const Wide<T> x = argument;
  switch (function) {
    case MathFunction::exp:
      return std::exp(x);
    case MathFunction::expm1:
      return std::expm1(x);
    case MathFunction::log:
      return std::log(x);
    case MathFunction::log1p:
      return std::log1p(x);
    case MathFunction::tanh:
      return std::tanh(x);
    case MathFunction::sigmoid:
      return 1 / (1 + std::exp(-x));
    case MathFunction::erf:
      return std::erf(x);
    case MathFunction::sin_pi:
      return sin_of_pi_times(x);
    case MathFunction::cos_pi:
      // cos(pi x) = sin(pi (1/2 - |x|)), of which no rest is rounded.
      return sin_of_pi_times(Wide<T>(0.5) - std::fmod(std::abs(x), Wide<T>(2)));
  }
  return std::numeric_limits<Wide<T>>::quiet_NaN();
}

/// |got - exact| in units of the last place of T at `exact`; infinite where only one of the two is
/// a NaN.
template <class T>
double ulp_error(T got, Wide<T> exact) {
  using Limits = std::numeric_limits<T>;
  if (std::isnan(got) || std::isnan(exact)) {
    return std::isnan(got) == std::isnan(exact) ? 0.0 : std::numeric_limits<double>::infinity();
  }
  // Infinity stands where the next number after the largest would be.
  const Wide<T> beyond = std::ldexp(Wide<T>(1), Limits::max_exponent);
  const Wide<T> a = std::clamp(Wide<T>(got), -beyond, beyond);
  const Wide<T> b = std::clamp(exact, -beyond, beyond);
  if (a == b) return 0.0;
  const int exponent = b == 0 ? Limits::min_exponent : std::ilogb(b) + 1;
  const int place = std::clamp(exponent, Limits::min_exponent, Limits::max_exponent);
  return double(std::ldexp(std::abs(a - b), Limits::digits - place));
}

/// Doubles by turns of any bit pattern, of moderate exponent, near 1, and evenly spread where the
/// functions bend; made without library functions that differ between machines.
inline void sample_doubles(uint64_t seed, std::vector<double>& x) {
  std::mt19937_64 random{seed};
  const auto uniform = [&](double low, double high) {
    return low + (high - low) * double(random() >> 11) * 0x1p-53;
  };
  for (size_t i = 0; i < x.size(); ++i) {
    const uint64_t bits = random();
    const double sign = bits & 1 ? 1.0 : -1.0;
    switch (i % 6) {
      case 0:
        std::memcpy(&x[i], &bits, sizeof(bits));
        break;
      case 1:
        x[i] = sign * std::ldexp(uniform(1.0, 2.0), int((bits >> 1) % 70) - 60);
        break;
      case 2:
        x[i] = 1.0 + sign * std::ldexp(uniform(1.0, 2.0), -1 - int((bits >> 1) % 53));
        break;
      case 3:
        x[i] = uniform(-750.0, 750.0);
        break;
      case 4:
        x[i] = uniform(-40.0, 40.0);
        break;
      default:
        x[i] = uniform(-2.0, 2.0);
    }
  }
}

}  // namespace chainrule::kernels
