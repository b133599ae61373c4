// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "chainrule/activation.hpp"
#include "chainrule/initializer.hpp"

namespace chainrule::model {

/// The interval that numbers lie in; infinite ends are not reached.
struct OutputRange {
  double low;
  double high;
};

/// What the table of activations says of one.
OutputRange output_range(const Activation& activation);
Initializer::Kind initializer_before(Activation::Kind kind);

/// The options in the order in which the struct of the kernel has them; zeros behind them.
std::array<double, 2> kernel_parameters(const Activation& activation);

}  // namespace chainrule::model
