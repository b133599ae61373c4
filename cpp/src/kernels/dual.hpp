// SPDX-License-Identifier: Apache-2.0
// Dual numbers v + t e with e^2 = 0: arithmetic on them carries with each value v its derivative t
// along a direction. A plan of dual numbers gives with each gradient its derivative, the product of
// the Hessian with that direction. Reference: Pearlmutter, "Fast exact multiplication by the
// Hessian", Neural Computation 6, 1994.
#pragma once

#include <stdint.h>

#include <limits>

#include "kernels/inline.hpp"
#include "kernels/layout.hpp"

namespace chainrule::kernels {
// One unit alone knows dual numbers, and its names are its own: what nothing else can call is
// inlined, or left out.
namespace {

/// Of a Number, which is double or a vector of doubles. Comparisons are those of the values.
template <class Number>
struct DualNumber {
  Number value;
  Number tangent;

  DualNumber() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a number is a dual number without tangent
  CHAINRULE_INLINE constexpr DualNumber(Number v, Number t = {}) : value(v), tangent(t) {}
  /// The same dual number in each lane of a vector.
  template <class Lane>
    requires(sizeof(Lane) < sizeof(Number))
  // NOLINTNEXTLINE(google-explicit-constructor): as a number goes with a vector of numbers
  CHAINRULE_INLINE DualNumber(DualNumber<Lane> x)
      : value(x.value - Number{}), tangent(x.tangent - Number{}) {}
  explicit constexpr operator double() const { return value; }
  explicit constexpr operator int64_t() const { return static_cast<int64_t>(value); }

  CHAINRULE_INLINE DualNumber<double> operator[](int lane) const {
    return {value[lane], tangent[lane]};
  }

  CHAINRULE_INLINE DualNumber& operator+=(DualNumber b) { return *this = *this + b; }
  CHAINRULE_INLINE DualNumber& operator*=(DualNumber b) { return *this = *this * b; }

  friend CHAINRULE_INLINE constexpr DualNumber operator-(DualNumber a) {
    return {-a.value, -a.tangent};
  }
  friend CHAINRULE_INLINE constexpr DualNumber operator+(DualNumber a, DualNumber b) {
    return {a.value + b.value, a.tangent + b.tangent};
  }
  friend CHAINRULE_INLINE constexpr DualNumber operator-(DualNumber a, DualNumber b) {
    return {a.value - b.value, a.tangent - b.tangent};
  }
  friend CHAINRULE_INLINE constexpr DualNumber operator*(DualNumber a, DualNumber b) {
    return {a.value * b.value, a.value * b.tangent + a.tangent * b.value};
  }
  friend CHAINRULE_INLINE constexpr DualNumber operator/(DualNumber a, DualNumber b) {
    const Number quotient = a.value / b.value;
    return {quotient, (a.tangent - quotient * b.tangent) / b.value};
  }
  friend CHAINRULE_INLINE constexpr auto operator<(DualNumber a, DualNumber b) {
    return a.value < b.value;
  }
  friend CHAINRULE_INLINE constexpr auto operator>(DualNumber a, DualNumber b) {
    return a.value > b.value;
  }
  friend CHAINRULE_INLINE constexpr auto operator<=(DualNumber a, DualNumber b) {
    return a.value <= b.value;
  }
  friend CHAINRULE_INLINE constexpr auto operator>=(DualNumber a, DualNumber b) {
    return a.value >= b.value;
  }
  friend CHAINRULE_INLINE constexpr auto operator==(DualNumber a, DualNumber b) {
    return a.value == b.value;
  }
  friend CHAINRULE_INLINE constexpr auto operator!=(DualNumber a, DualNumber b) {
    return a.value != b.value;
  }
};

using Dual = DualNumber<double>;

}  // namespace

/// Rows are padded as those of their values, so that arenas and tensors are laid out alike.
template <>
inline constexpr int64_t kRowAlignment<Dual> = kRowAlignment<double>;

}  // namespace chainrule::kernels

template <>
class std::numeric_limits<chainrule::kernels::Dual> : public std::numeric_limits<double> {};
