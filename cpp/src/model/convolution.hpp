// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "chainrule/convolution_layers.hpp"
#include "chainrule/shape_layers.hpp"
#include "model/window.hpp"

namespace chainrule::model {

/// The windows of a convolution along each of its axes; throws Error where the input has none.
/// Those of a transposed one are the convolution's that it is the transpose of: over its outputs.
std::vector<Window> windows_of(const KernelLayer& layer, const Shape& input);

/// Each channel as often as a depthwise convolution gives outputs of it.
Take repeated_channels(const DepthwiseConvolution& layer, std::int64_t channels);

}  // namespace chainrule::model
