// SPDX-License-Identifier: Apache-2.0
#include "chainrule/error.hpp"
#include "chainrule/merge_layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {
namespace {

/// A layer without options.
template <class L>
L without_options(const Config& config) {
  model::check_options(config, {});
  return {};
}

}  // namespace

Add Add::from_config(const Config& config) { return without_options<Add>(config); }
Subtract Subtract::from_config(const Config& config) { return without_options<Subtract>(config); }
Multiply Multiply::from_config(const Config& config) { return without_options<Multiply>(config); }
Maximum Maximum::from_config(const Config& config) { return without_options<Maximum>(config); }

Config Merge::config() const { return {std::string(kind()), {}}; }

template <class Visit, class Self>
  requires model::described_as<Self, Average>
static void visit_fields(Visit& visit, Self& self) {
  visit("independent", self.independent);
}

Average Average::from_config(const Config& config) {
  Average layer;
  model::read_fields(config, layer);
  return layer;
}

// Descriptions of a plain one are as they were before there was an option.
Config Average::config() const {
  return independent ? model::write_fields(kind(), *this) : Merge::config();
}

Shape Merge::output_shape(const std::vector<Shape>& inputs) const {
  model::check_joined(kind(), inputs);
  for (const Shape& shape : inputs) {
    if (!(shape == inputs.front()))
      model::refuse(kind(), "its inputs must have one shape, got " + model::shapes_text(inputs));
  }
  return inputs.front();
}

std::vector<ParameterSpec> Merge::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

Shape Subtract::output_shape(const std::vector<Shape>& inputs) const {
  if (inputs.size() != 2)
    model::refuse(kind(), "it reads two inputs, got " + std::to_string(inputs.size()));
  return Merge::output_shape(inputs);
}

Concatenate Concatenate::from_config(const Config& config) {
  return without_options<Concatenate>(config);
}

Config Concatenate::config() const { return {std::string(kind()), {}}; }

Shape Concatenate::output_shape(const std::vector<Shape>& inputs) const {
  model::check_joined(kind(), inputs);
  std::int64_t columns = 0;
  for (const Shape& shape : inputs) {
    if (shape.rank() != inputs.front().rank() ||
        !(shape.with_columns(1) == inputs.front().with_columns(1)))
      model::refuse(kind(), "the shapes of its inputs may differ in the last extent only, got " +
                                model::shapes_text(inputs));
    if (__builtin_add_overflow(columns, shape.columns(), &columns))
      throw Error("an array of all columns of " + model::shapes_text(inputs) + " is too large");
  }
  Shape shape = inputs.front().with_columns(columns);
  (void)shape.size();
  return shape;
}

std::vector<ParameterSpec> Concatenate::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

Dot Dot::from_config(const Config& config) { return without_options<Dot>(config); }

Config Dot::config() const { return {std::string(kind()), {}}; }

Shape Dot::output_shape(const std::vector<Shape>& inputs) const {
  if (inputs.size() != 2)
    model::refuse(kind(), "it reads two inputs, got " + std::to_string(inputs.size()));
  model::check_joined(kind(), inputs);
  const Shape& a = inputs[0];
  const Shape& b = inputs[1];
  if (a.rank() != b.rank() || a.rank() > 2 || a.columns() != b.columns())
    model::refuse(kind(),
                  "its inputs must both be (features) or (n, features) and (m, features), "
                  "with equally many features, got " +
                      model::shapes_text(inputs));
  if (a.rank() == 1) return 1;
  Shape shape{a.positions(), b.positions()};
  (void)shape.size();
  return shape;
}

std::vector<ParameterSpec> Dot::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule
