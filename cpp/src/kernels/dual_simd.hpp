// SPDX-License-Identifier: Apache-2.0
// The vector vocabulary for dual numbers, in terms of that for double: a vector of values and one
// of tangents. In memory, a tangent follows its value.
#pragma once

#include "kernels/dispatch.hpp"
#include "kernels/dual.hpp"
#include "kernels/math.hpp"
#include "kernels/simd.hpp"

namespace {

using chainrule::kernels::Dual;

using DualVector = chainrule::kernels::DualNumber<Vec<double>>;

template <>
struct Simd<Dual> {
  using Vector = DualVector;
  using Integer = IVec<double>;
  using Lane = int64_t;
};

template <>
constexpr int kLanes<Dual> = kLanes<double>;

static_assert(kLanes<double> == 2, "dual numbers have the vectors of the portable instruction set");

template <>
CHAINRULE_INLINE DualVector load<Dual>(const Dual* p) {
  const auto* numbers = reinterpret_cast<const double*>(p);
  const Vec<double> first = load(numbers);
  const Vec<double> second = load(numbers + kLanes<double>);
  return {zip_low<double>(first, second), zip_high<double>(first, second)};
}

template <>
CHAINRULE_INLINE void store<Dual>(Dual* p, DualVector v) {
  auto* numbers = reinterpret_cast<double*>(p);
  store(numbers, zip_low<double>(v.value, v.tangent));
  store(numbers + kLanes<double>, zip_high<double>(v.value, v.tangent));
}

template <>
CHAINRULE_INLINE DualVector broadcast<Dual>(Dual x) {
  return x;
}

template <>
CHAINRULE_INLINE DualVector select<Dual>(IVec<Dual> mask, DualVector yes, DualVector no) {
  return {select<double>(mask, yes.value, no.value), select<double>(mask, yes.tangent, no.tangent)};
}

/// Those of the values, as with all comparisons.
template <>
CHAINRULE_INLINE IVec<Dual> bits<Dual>(DualVector v) {
  return bits<double>(v.value);
}

template <>
CHAINRULE_INLINE DualVector max<Dual>(DualVector a, DualVector b) {
  return select<Dual>(a > b, a, b);
}

template <>
CHAINRULE_INLINE DualVector min<Dual>(DualVector a, DualVector b) {
  return select<Dual>(a < b, a, b);
}

/// Of derivative 0 at 0.
template <>
CHAINRULE_INLINE DualVector abs<Dual>(DualVector v) {
  const Vec<double> up = select<double>(v.value > 0.0, v.tangent, Vec<double>{});
  return {abs<double>(v.value), select<double>(v.value < 0.0, -v.tangent, up)};
}

template <>
CHAINRULE_INLINE DualVector zip_low<Dual>(DualVector a, DualVector b) {
  return {zip_low<double>(a.value, b.value), zip_low<double>(a.tangent, b.tangent)};
}

template <>
CHAINRULE_INLINE DualVector zip_high<Dual>(DualVector a, DualVector b) {
  return {zip_high<double>(a.value, b.value), zip_high<double>(a.tangent, b.tangent)};
}

// The value is that of the kernels for double, to the bit. A call instead of a copy at each use.
[[gnu::noinline]] DualVector fma(DualVector a, DualVector b, DualVector c) {
  return {fma(a.value, b.value, c.value),
          fma(a.value, b.tangent, fma(a.tangent, b.value, c.tangent))};
}

CHAINRULE_INLINE DualVector sqrt(DualVector a) {
  const Vec<double> root = sqrt(a.value);
  return {root, a.tangent / (2.0 * root)};
}

/// An elementary function of the values, by the kernels for double: not once more in this unit.
[[gnu::noinline]] Vec<double> real_math(chainrule::kernels::MathFunction function, Vec<double> x) {
  double values[kLanes<double>];
  store(values, x);
  chainrule::kernels::active<double>().math(function, values, values, kLanes<double>);
  return load(values);
}

namespace math {

using chainrule::kernels::MathFunction;

template <>
CHAINRULE_INLINE DualVector exp<Dual>(DualVector x) {
  const Vec<double> y = real_math(MathFunction::exp, x.value);
  return {y, y * x.tangent};
}

template <>
CHAINRULE_INLINE DualVector expm1<Dual>(DualVector x) {
  const Vec<double> y = real_math(MathFunction::expm1, x.value);
  return {y, (y + 1.0) * x.tangent};
}

template <>
CHAINRULE_INLINE DualVector log<Dual>(DualVector x) {
  return {real_math(MathFunction::log, x.value), x.tangent / x.value};
}

template <>
CHAINRULE_INLINE DualVector log1p<Dual>(DualVector x) {
  return {real_math(MathFunction::log1p, x.value), x.tangent / (1.0 + x.value)};
}

template <>
CHAINRULE_INLINE DualVector tanh<Dual>(DualVector x) {
  const Vec<double> y = real_math(MathFunction::tanh, x.value);
  return {y, (1.0 - y * y) * x.tangent};
}

template <>
CHAINRULE_INLINE DualVector sigmoid<Dual>(DualVector x) {
  const Vec<double> y = real_math(MathFunction::sigmoid, x.value);
  return {y, y * (1.0 - y) * x.tangent};
}

template <>
CHAINRULE_INLINE DualVector erf<Dual>(DualVector x) {
  constexpr double two_over_root_pi = 1.12837916709551257390;
  const Vec<double> slope = two_over_root_pi * real_math(MathFunction::exp, -x.value * x.value);
  return {real_math(MathFunction::erf, x.value), slope * x.tangent};
}

template <>
CHAINRULE_INLINE SinCos<Dual> sin_cos_pi<Dual>(DualVector x) {
  constexpr double pi = 3.14159265358979323846;
  const Vec<double> sine = real_math(MathFunction::sin_pi, x.value);
  const Vec<double> cosine = real_math(MathFunction::cos_pi, x.value);
  return {{sine, pi * cosine * x.tangent}, {cosine, -pi * sine * x.tangent}};
}

}  // namespace math
}  // namespace
