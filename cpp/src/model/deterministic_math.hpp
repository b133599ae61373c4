// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace chainrule::model {

// From + - * / alone, to about 1e-15: C libraries differ in the last bit of these functions, even
// the same library on different processors, and whatever reaches a weight must not.

/// log(x) of a normal positive number.
double log(double x);

/// exp(x) for |x| below 700.
double exp(double x);

/// cos(pi x) for x in [0, 1].
double cos_pi(double x);

/// base^exponent for base > 0 and exponent >= 0; whole exponents n by repeated squaring, with an
/// error of n ulp.
double power(double base, double exponent);

}  // namespace chainrule::model
