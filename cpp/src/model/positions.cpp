// SPDX-License-Identifier: Apache-2.0
// Layers that make several positions of one, or one of several.
#include <string>

#include "chainrule/shape_layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, RepeatVector>
static void visit_fields(Visit& visit, Self& self) {
  visit("n", self.n, model::at_least_one);
}

template <class Visit, class Self>
  requires model::described_as<Self, Position>
static void visit_fields(Visit& visit, Self& self) {
  visit("index", self.index);
}

template <class Visit, class Self>
  requires model::described_as<Self, GlobalAveragePooling>
static void visit_fields(Visit&, Self&) {}

RepeatVector RepeatVector::from_config(const Config& config) {
  RepeatVector layer;
  model::read_fields(config, layer);
  return layer;
}

Config RepeatVector::config() const { return model::write_fields(kind(), *this); }

Shape RepeatVector::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  if (input.rank() != 1)
    model::refuse(kind(), "it repeats an input of shape (features), got " + input.text());
  Shape shape{n, input.columns()};
  (void)shape.size();
  return shape;
}

std::vector<ParameterSpec> RepeatVector::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

Position Position::from_config(const Config& config) {
  Position layer;
  model::read_fields(config, layer);
  return layer;
}

Config Position::config() const { return model::write_fields(kind(), *this); }

Shape Position::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  if (input.rank() != 2)
    model::refuse(kind(), "it reads rows of shape (time, features), got " + input.text() +
                              "; an Input or a Reshape says their shape");
  const std::int64_t time = input.positions();
  if (index < -time || index >= time)
    model::refuse(kind(), "index must name a position of rows of shape " + input.text() + ", got " +
                              std::to_string(index));
  return input.columns();
}

std::vector<ParameterSpec> Position::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

GlobalAveragePooling GlobalAveragePooling::from_config(const Config& config) {
  GlobalAveragePooling layer;
  model::read_fields(config, layer);
  return layer;
}

Config GlobalAveragePooling::config() const { return model::write_fields(kind(), *this); }

Shape GlobalAveragePooling::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  if (input.rank() < 2)
    model::refuse(kind(),
                  "it takes the mean over positions, as of (time, features) or (height, width, "
                  "channels), and there are none in " +
                      input.text());
  return input.columns();
}

std::vector<ParameterSpec> GlobalAveragePooling::parameters(
    const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule
