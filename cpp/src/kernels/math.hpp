// SPDX-License-Identifier: Apache-2.0
// Elementary functions of a vector, for float and double. Only operations that IEEE 754 rounds in
// one way are used, so every instruction set gives the same bits; docs/vector-math.md has the
// methods and the measured errors.
#pragma once

#include "kernels/math/erf.hpp"
#include "kernels/math/exp.hpp"
#include "kernels/math/log.hpp"
#include "kernels/math/sigmoid.hpp"
#include "kernels/math/sin_cos_pi.hpp"
#include "kernels/math/tanh.hpp"
