// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "model/fields.hpp"

namespace chainrule::model {

/// Throws Error unless the layer's options are in range and it has at least one input.
template <class T>
void check_layer(const T& layer, std::int64_t inputs) {
  check_fields(layer.kind(), layer);
  check_value(layer.kind(), "inputs", inputs, at_least_one);
}

}  // namespace chainrule::model
