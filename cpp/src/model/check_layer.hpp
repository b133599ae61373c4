// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "chainrule/shape.hpp"
#include "model/fields.hpp"

namespace chainrule::model {

/// The only input of a layer; throws Error unless there is one and it has columns.
inline const Shape& single_input(std::string_view kind, const std::vector<Shape>& inputs) {
  if (inputs.size() != 1) refuse(kind, "it reads one input, got " + std::to_string(inputs.size()));
  check_value(kind, "inputs", inputs.front().columns(), at_least_one);
  return inputs.front();
}

/// The same, and throws Error unless the layer's options are in range.
template <class T>
const Shape& check_layer(const T& layer, const std::vector<Shape>& inputs) {
  check_fields(layer.kind(), layer);
  return single_input(layer.kind(), inputs);
}

}  // namespace chainrule::model
