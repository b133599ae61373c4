// SPDX-License-Identifier: Apache-2.0
// The enumerations that select a kernel.
#pragma once

#include "chainrule/activation_kind.hpp"
#include "chainrule/data_type.hpp"
#include "chainrule/loss_kind.hpp"

namespace chainrule::kernels {

using chainrule::ActivationKind;
using chainrule::DataType;
using chainrule::LossKind;

/// How tensors of one shape become one, element by element.
enum class MergeKind : int { add, subtract, multiply, average, maximum };

enum class MathFunction : int { exp, expm1, log, log1p, tanh, sigmoid, erf, sin_pi, cos_pi };

}  // namespace chainrule::kernels
