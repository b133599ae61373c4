// SPDX-License-Identifier: Apache-2.0
// What the elementary functions share: the fields of a floating-point number, and polynomials.
#pragma once

#include "kernels/simd.hpp"

namespace {
namespace math {

template <class T>
struct Format;

template <>
struct Format<float> {
  static constexpr int kMantissaBits = 23;
  static constexpr int32_t kBias = 127;
  static constexpr float kMinNormal = 0x1p-126f;
  static constexpr float kInfinity = __builtin_inff();
  static constexpr float kNaN = __builtin_nanf("");
  static constexpr float kRound = 0x1.8p23f;
};

template <>
struct Format<double> {
  static constexpr int kMantissaBits = 52;
  static constexpr int64_t kBias = 1023;
  static constexpr double kMinNormal = 0x1p-1022;
  static constexpr double kInfinity = __builtin_inf();
  static constexpr double kNaN = __builtin_nan("");
  static constexpr double kRound = 0x1.8p52;
};

/// An integer of small magnitude as a floating-point number, and back. The sum with 1.5 *
/// 2^mantissa holds the integer in its last bits; AVX2 has no conversion instruction for 64 bits.
template <class T>
CHAINRULE_INLINE Vec<T> to_real(IVec<T> k) {
  return from_bits<T>(k + bits<T>(broadcast(Format<T>::kRound))) - Format<T>::kRound;
}

/// v * 2^k for normal v and a normal result.
template <class T>
CHAINRULE_INLINE Vec<T> scale_normal(Vec<T> v, IVec<T> k) {
  return from_bits<T>(bits<T>(v) + (k << Format<T>::kMantissaBits));
}

/// 2^k for the exponents of normal numbers.
template <class T>
CHAINRULE_INLINE Vec<T> power_of_two(IVec<T> k) {
  return from_bits<T>((k + Format<T>::kBias) << Format<T>::kMantissaBits);
}

/// c[0] + c[1] x + c[2] x^2 + ... by Horner's rule. A recursion, as compilers stop unrolling long
/// loops.
template <class T, int N, int I = 0>
CHAINRULE_INLINE Vec<T> polynomial(Vec<T> x, const T (&c)[N]) {
  if constexpr (I == N - 1) {
    return broadcast(c[I]);
  } else {
    return fma(x, polynomial<T, N, I + 1>(x, c), broadcast(c[I]));
  }
}

/// The same with about half the steps that wait for each other: pairs of terms first, then by
/// Horner's rule in x^2.
template <class T, int N, int I = 0>
CHAINRULE_INLINE Vec<T> polynomial_in_pairs(Vec<T> x, Vec<T> square, const T (&c)[N]) {
  if constexpr (I == N - 1) {
    return broadcast(c[I]);
  } else {
    const Vec<T> pair = fma(x, broadcast(c[I + 1]), broadcast(c[I]));
    if constexpr (I + 2 == N)
      return pair;
    else
      return fma(square, polynomial_in_pairs<T, N, I + 2>(x, square, c), pair);
  }
}

/// v, which is not negative, with the sign bit of x.
template <class T>
CHAINRULE_INLINE Vec<T> with_sign_of(Vec<T> x, Vec<T> v) {
  return from_bits<T>(bits<T>(v) | (bits<T>(x) ^ bits<T>(abs<T>(x))));
}

/// y, or x where x is a NaN: which NaN an operation on two of them returns is up to the machine.
template <class T>
CHAINRULE_INLINE Vec<T> keep_nan(Vec<T> x, Vec<T> y) {
  return select<T>(x == x, y, x + x);
}

}  // namespace math
}  // namespace
