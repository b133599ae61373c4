// SPDX-License-Identifier: Apache-2.0
// It includes no standard header, so that the kernels' closed units can include it.
#pragma once

#include "chainrule/cxx20.hpp"

namespace chainrule {

/// What numbers a caller's array holds.
enum class DataType : int { uint8, float32, float64, int32, int64 };

}  // namespace chainrule
