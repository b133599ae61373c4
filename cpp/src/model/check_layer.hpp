// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
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

/// The shapes of a layer's inputs, as in "(3,) and (4,)".
inline std::string shapes_text(const std::vector<Shape>& shapes) {
  std::string text;
  for (const Shape& shape : shapes) text += (text.empty() ? "" : " and ") + shape.text();
  return text;
}

/// Throws Error unless a layer that joins tensors has at least two inputs, all of which have
/// columns.
inline void check_joined(std::string_view kind, const std::vector<Shape>& inputs) {
  if (inputs.size() < 2)
    refuse(kind, "it reads two inputs or more, got " + std::to_string(inputs.size()));
  for (const Shape& shape : inputs) check_value(kind, "inputs", shape.columns(), at_least_one);
}

}  // namespace chainrule::model
