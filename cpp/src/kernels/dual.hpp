// SPDX-License-Identifier: Apache-2.0
// Dual numbers v + t e with e^2 = 0: arithmetic on them carries with each value v its derivative t
// along a direction. A plan of dual numbers gives with each gradient its derivative, the product of
// the Hessian with that direction. Reference: Pearlmutter, "Fast exact multiplication by the
// Hessian", Neural Computation 6, 1994.
#pragma once

#include <stdint.h>

#include <limits>

#include "kernels/layout.hpp"

namespace chainrule::kernels {
// One unit alone knows dual numbers, and its names are its own: what nothing else can call is
// inlined, or left out.
namespace {

struct Dual {
  double value;
  double tangent;

  Dual() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a number is a dual number without tangent
  constexpr Dual(double v, double t = 0.0) : value(v), tangent(t) {}
  explicit constexpr operator double() const { return value; }
  explicit constexpr operator int64_t() const { return static_cast<int64_t>(value); }

  Dual& operator+=(Dual b) {
    value += b.value;
    tangent += b.tangent;
    return *this;
  }

  friend constexpr Dual operator-(Dual a) { return {-a.value, -a.tangent}; }
  friend constexpr Dual operator+(Dual a, Dual b) {
    return {a.value + b.value, a.tangent + b.tangent};
  }
  friend constexpr Dual operator-(Dual a, Dual b) {
    return {a.value - b.value, a.tangent - b.tangent};
  }
  friend constexpr Dual operator*(Dual a, Dual b) {
    return {a.value * b.value, a.value * b.tangent + a.tangent * b.value};
  }
  friend constexpr Dual operator/(Dual a, Dual b) {
    const double quotient = a.value / b.value;
    return {quotient, (a.tangent - quotient * b.tangent) / b.value};
  }
  friend constexpr bool operator==(Dual a, Dual b) { return a.value == b.value; }
  friend constexpr bool operator<(Dual a, Dual b) { return a.value < b.value; }
  friend constexpr bool operator>(Dual a, Dual b) { return a.value > b.value; }
};

}  // namespace

/// Rows are padded as those of their values, so that arenas and tensors are laid out alike.
template <>
inline constexpr int64_t kRowAlignment<Dual> = kRowAlignment<double>;

}  // namespace chainrule::kernels

template <>
class std::numeric_limits<chainrule::kernels::Dual> : public std::numeric_limits<double> {};
