// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chainrule/cxx20.hpp"

namespace chainrule {

/// Where the windows of a layer such as Conv2D may lie. With `valid`, inside the input. With
/// `same`, the input has zeros before and behind each axis, so that there are ceil(extent / stride)
/// windows; of an odd number of zeros the larger half is behind, as with TensorFlow and ONNX's
/// SAME_UPPER. With `causal` all zeros are before the axis, so that the last entry of a window is
/// the one that the output stands for, and no output depends on later entries.
enum class Padding { valid, same, causal };

}  // namespace chainrule
