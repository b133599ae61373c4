// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "chainrule/shape_layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, Take>
static void visit_fields(Visit& visit, Self& self) {
  visit("columns", self.columns, model::non_negative);
}

namespace {

/// Throws Error unless there are columns.
void check_any(const Take& layer) {
  if (layer.columns.empty())
    model::refuse(layer.kind(), "columns is missing; it must name at least one column");
}

}  // namespace

Take Take::from_config(const Config& config) {
  Take layer;
  model::read_fields(config, layer);
  check_any(layer);
  return layer;
}

Config Take::config() const { return model::write_fields(kind(), *this); }

Shape Take::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  check_any(*this);
  for (const std::int64_t column : columns)
    if (column >= input.columns())
      model::refuse(kind(), "columns must be below " + std::to_string(input.columns()) +
                                ", the columns of x, got " + std::to_string(column));
  return input.with_columns(static_cast<std::int64_t>(columns.size()));
}

std::vector<ParameterSpec> Take::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule
