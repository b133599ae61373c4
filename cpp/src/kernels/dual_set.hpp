// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/dual.hpp"
#include "kernels/table.hpp"

namespace chainrule::kernels {

/// What the stages of a plan of dual numbers use; those that it does without are null.
const KernelTable<Dual>& dual_kernels();

}  // namespace chainrule::kernels
