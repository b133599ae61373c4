// SPDX-License-Identifier: Apache-2.0
// What the options of layers over positions say of an input of one shape, axis by axis.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "chainrule/pooling_layers.hpp"
#include "chainrule/shape.hpp"
#include "model/window.hpp"

namespace chainrule::model {

/// How many axes of positions a shape has; throws Error unless it is (time, features) or (height,
/// width, channels).
std::size_t position_axes(std::string_view kind, const Shape& input);

/// The windows along each axis; throws Error where they do not fit it.
std::vector<Window> pool_windows(const Pooling& layer, const Shape& input);

/// The factor of each axis; throws Error unless there is one for all or one for each.
std::vector<std::int64_t> up_sampling_sizes(const UpSampling& layer, const Shape& input);

/// How many positions are added or left out before and behind an axis.
struct Border {
  std::int64_t before, behind;
};

/// The border of each axis of the option `name`; throws Error unless it fits the axes.
std::vector<Border> borders(std::string_view kind, const char* name,
                            const std::vector<std::int64_t>& numbers, const Shape& input);

}  // namespace chainrule::model
