// SPDX-License-Identifier: Apache-2.0
// The vector vocabulary of one instruction set. Included by the isa_*.cpp units only, each of which
// defines one CHAINRULE_ISA_<NAME>; everything lives in an anonymous namespace, so that no two
// units can share a symbol.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernels/inline.hpp"

#if defined(CHAINRULE_ISA_AVX512) || defined(CHAINRULE_ISA_AVX2)
#include <immintrin.h>
#elif defined(CHAINRULE_ISA_NEON)
#include <arm_neon.h>
#endif

// GCC 11 has only the first form, Clang only the second.
#if defined(__GNUC__) && !defined(__clang__)
#define CHAINRULE_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, IVec<T>{__VA_ARGS__})
#else
#define CHAINRULE_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif

namespace {

#if defined(CHAINRULE_ISA_AVX512)
constexpr int kVectorBytes = 64;
#elif defined(CHAINRULE_ISA_AVX2)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class T>
struct Simd;

template <>
struct Simd<float> {
  typedef float Vector __attribute__((vector_size(kVectorBytes)));
  typedef int32_t Integer __attribute__((vector_size(kVectorBytes)));
  typedef float Unaligned __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
  typedef float Half __attribute__((vector_size(kVectorBytes / 2)));
  using Lane = int32_t;
};

template <>
struct Simd<double> {
  typedef double Vector __attribute__((vector_size(kVectorBytes)));
  typedef int64_t Integer __attribute__((vector_size(kVectorBytes)));
  typedef double Unaligned __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));
  typedef double Half __attribute__((vector_size(kVectorBytes / 2)));
  using Lane = int64_t;
};

/// kLanes<T> values of T; arithmetic operators and comparisons are the compiler's vector
/// extensions.
template <class T>
using Vec = typename Simd<T>::Vector;

/// Integers of T's width: bit patterns, and comparison results with all bits of a lane set or
/// clear.
template <class T>
using IVec = typename Simd<T>::Integer;

template <class T>
using Lane = typename Simd<T>::Lane;

template <class T>
constexpr int kLanes = kVectorBytes / int(sizeof(T));

template <class T>
CHAINRULE_INLINE Vec<T> load(const T* p) {
  return *reinterpret_cast<const typename Simd<T>::Unaligned*>(p);
}

template <class T>
CHAINRULE_INLINE void store(T* p, Vec<T> v) {
  *reinterpret_cast<typename Simd<T>::Unaligned*>(p) = v;
}

template <class T>
CHAINRULE_INLINE IVec<T> iload(const Lane<T>* p) {
  IVec<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
CHAINRULE_INLINE void istore(Lane<T>* p, IVec<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

template <class T>
CHAINRULE_INLINE Vec<T> broadcast(T x) {
  return x - Vec<T>{};  // x - 0 keeps the sign of a negative zero, which 0 + x would lose
}

template <class T>
CHAINRULE_INLINE IVec<T> ibroadcast(Lane<T> x) {
  return x + IVec<T>{};
}

/// 0, 1, 2, ... in the lanes.
template <class T>
CHAINRULE_INLINE IVec<T> lane_index() {
  IVec<T> v;
  for (int i = 0; i < kLanes<T>; ++i) v[i] = i;
  return v;
}

template <class T>
CHAINRULE_INLINE IVec<T> bits(Vec<T> v) {
  return reinterpret_cast<IVec<T>>(v);
}

template <class T>
CHAINRULE_INLINE Vec<T> from_bits(IVec<T> v) {
  return reinterpret_cast<Vec<T>>(v);
}

template <class T>
CHAINRULE_INLINE Vec<T> select(IVec<T> mask, Vec<T> yes, Vec<T> no) {
  return mask ? yes : no;
}

/// a > b ? a : b, so a NaN in `a` gives b and a NaN in `b` stays.
template <class T>
CHAINRULE_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
  return a > b ? a : b;
}

template <class T>
CHAINRULE_INLINE Vec<T> min(Vec<T> a, Vec<T> b) {
  return a < b ? a : b;
}

/// Whether x is larger than all that `largest` was chosen from, where a NaN counts as larger than
/// all numbers.
template <class T>
CHAINRULE_INLINE IVec<T> exceeds(Vec<T> x, Vec<T> largest) {
  return ~(x <= largest) & (largest == largest);
}

template <class T>
CHAINRULE_INLINE Vec<T> abs(Vec<T> v) {
  constexpr Lane<T> magnitude = sizeof(T) == 4 ? Lane<T>(0x7fffffff) : Lane<T>(0x7fffffffffffffff);
  return from_bits<T>(bits<T>(v) & ibroadcast<T>(magnitude));
}

/// The sign bit of `sign` on the magnitude of `v`.
template <class T>
CHAINRULE_INLINE Vec<T> copysign(Vec<T> v, Vec<T> sign) {
  constexpr Lane<T> magnitude = sizeof(T) == 4 ? Lane<T>(0x7fffffff) : Lane<T>(0x7fffffffffffffff);
  const IVec<T> m = ibroadcast<T>(magnitude);
  return from_bits<T>((bits<T>(v) & m) | (bits<T>(sign) & ~m));
}

/// The first halves of a and b interleaved: a0 b0 a1 b1 ...
template <class T>
CHAINRULE_INLINE Vec<T> zip_low(Vec<T> a, Vec<T> b) {
  static_assert(kLanes<T> == 2 || kLanes<T> == 4 || kLanes<T> == 8 || kLanes<T> == 16);
  if constexpr (kLanes<T> == 2) return CHAINRULE_SHUFFLE(a, b, 0, 2);
  if constexpr (kLanes<T> == 4) return CHAINRULE_SHUFFLE(a, b, 0, 4, 1, 5);
  if constexpr (kLanes<T> == 8) return CHAINRULE_SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  if constexpr (kLanes<T> == 16)
    return CHAINRULE_SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

/// The second halves of a and b interleaved.
template <class T>
CHAINRULE_INLINE Vec<T> zip_high(Vec<T> a, Vec<T> b) {
  if constexpr (kLanes<T> == 2) return CHAINRULE_SHUFFLE(a, b, 1, 3);
  if constexpr (kLanes<T> == 4) return CHAINRULE_SHUFFLE(a, b, 2, 6, 3, 7);
  if constexpr (kLanes<T> == 8) return CHAINRULE_SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  if constexpr (kLanes<T> == 16)
    return CHAINRULE_SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/// Half of a vector's lanes, where that is worth kernels of its own.
template <class T>
using HalfVec = typename Simd<T>::Half;

#if defined(CHAINRULE_ISA_AVX512)
template <class T>
constexpr bool kHasHalves = sizeof(T) == sizeof(float);

CHAINRULE_INLINE HalfVec<float> load_half(const float* p) { return _mm256_loadu_ps(p); }
CHAINRULE_INLINE void store_half(float* p, HalfVec<float> v) { _mm256_storeu_ps(p, v); }
CHAINRULE_INLINE HalfVec<float> lower_half(Vec<float> v) { return _mm512_castps512_ps256(v); }
CHAINRULE_INLINE HalfVec<float> fma(HalfVec<float> a, HalfVec<float> b, HalfVec<float> c) {
  return _mm256_fmadd_ps(a, b, c);
}
#else
template <class T>
constexpr bool kHasHalves = false;
#endif

#if defined(CHAINRULE_ISA_AVX512)

CHAINRULE_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return _mm512_fmadd_ps(a, b, c);
}
CHAINRULE_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return _mm512_fmadd_pd(a, b, c);
}
// The masked forms, since the plain ones' headers start from an undefined value that GCC 12 warns
// of.
CHAINRULE_INLINE Vec<float> sqrt(Vec<float> a) { return _mm512_maskz_sqrt_ps(0xffff, a); }
CHAINRULE_INLINE Vec<double> sqrt(Vec<double> a) { return _mm512_maskz_sqrt_pd(0xff, a); }

#elif defined(CHAINRULE_ISA_AVX2)

CHAINRULE_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return _mm256_fmadd_ps(a, b, c);
}
CHAINRULE_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return _mm256_fmadd_pd(a, b, c);
}
CHAINRULE_INLINE Vec<float> sqrt(Vec<float> a) { return _mm256_sqrt_ps(a); }
CHAINRULE_INLINE Vec<double> sqrt(Vec<double> a) { return _mm256_sqrt_pd(a); }

#elif defined(CHAINRULE_ISA_NEON)

CHAINRULE_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return reinterpret_cast<Vec<float>>(vfmaq_f32(reinterpret_cast<float32x4_t>(c),
                                                reinterpret_cast<float32x4_t>(a),
                                                reinterpret_cast<float32x4_t>(b)));
}
CHAINRULE_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return reinterpret_cast<Vec<double>>(vfmaq_f64(reinterpret_cast<float64x2_t>(c),
                                                 reinterpret_cast<float64x2_t>(a),
                                                 reinterpret_cast<float64x2_t>(b)));
}
CHAINRULE_INLINE Vec<float> sqrt(Vec<float> a) {
  return reinterpret_cast<Vec<float>>(vsqrtq_f32(reinterpret_cast<float32x4_t>(a)));
}
CHAINRULE_INLINE Vec<double> sqrt(Vec<double> a) {
  return reinterpret_cast<Vec<double>>(vsqrtq_f64(reinterpret_cast<float64x2_t>(a)));
}

#else

#if defined(__x86_64__) && !defined(__FMA__)
typedef float HalfFloat __attribute__((vector_size(8)));
typedef int32_t HalfInt __attribute__((vector_size(8)));

// A fused float multiply-add without the instruction: the product is exact in double, and rounding
// the double sum to odd (its last bit set when anything was lost) makes the second rounding, to
// float, the only one that counts. Reference: Boldo and Melquiond, "Emulation of a FMA and
// correctly rounded sums", IEEE Trans. Computers 57, 2008.
CHAINRULE_INLINE HalfFloat fma_half(HalfFloat a, HalfFloat b, HalfFloat c) {
  const Vec<double> p =
      __builtin_convertvector(a, Vec<double>) * __builtin_convertvector(b, Vec<double>);
  const Vec<double> d = __builtin_convertvector(c, Vec<double>);
  const Vec<double> s = p + d;
  const Vec<double> t = s - p;
  const Vec<double> lost = (p - (s - t)) + (d - t);
  const IVec<double> i = bits<double>(s);
  // Inexact and even: step to the neighbour on the lost part's side; infinities and NaN have
  // nothing to mend.
  const IVec<double> inexact = (lost != 0.0) & (abs<double>(s) < __builtin_inf());
  const IVec<double> even = (i & 1) == 0;
  const IVec<double> away = ~((bits<double>(lost) ^ i) >> 63);
  const IVec<double> step = (away & 1) - (~away & 1);
  return __builtin_convertvector(from_bits<double>(i + (inexact & even & step)), HalfFloat);
}

// A call costs little beside what it does, and thousands of copies would be most of this unit.
[[gnu::noinline, maybe_unused]] Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  const HalfFloat low =
      fma_half(HalfFloat{a[0], a[1]}, HalfFloat{b[0], b[1]}, HalfFloat{c[0], c[1]});
  const HalfFloat high =
      fma_half(HalfFloat{a[2], a[3]}, HalfFloat{b[2], b[3]}, HalfFloat{c[2], c[3]});
  return Vec<float>{low[0], low[1], high[0], high[1]};
}
#else
CHAINRULE_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  for (int i = 0; i < kLanes<float>; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return c;
}
#endif

CHAINRULE_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  for (int i = 0; i < kLanes<double>; ++i) c[i] = __builtin_fma(a[i], b[i], c[i]);
  return c;
}
CHAINRULE_INLINE Vec<float> sqrt(Vec<float> a) {
  for (int i = 0; i < kLanes<float>; ++i) a[i] = __builtin_sqrtf(a[i]);
  return a;
}
CHAINRULE_INLINE Vec<double> sqrt(Vec<double> a) {
  for (int i = 0; i < kLanes<double>; ++i) a[i] = __builtin_sqrt(a[i]);
  return a;
}

#endif

}  // namespace
