// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "chainrule/shape_layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, Reshape>
static void visit_fields(Visit& visit, Self& self) {
  visit("target_shape", self.target_shape);
}

template <class Visit, class Self>
  requires model::described_as<Self, Flatten>
static void visit_fields(Visit&, Self&) {}

namespace {

/// Throws Error unless all extents are >= 1, but for at most one that is -1.
void check_target(const Reshape& layer) {
  if (layer.target_shape.empty())
    model::refuse(layer.kind(),
                  "target_shape is missing; its extents must be >= 1, or one of them "
                  "-1");
  std::int64_t unknown = 0;
  for (const std::int64_t extent : layer.target_shape) {
    unknown += extent == -1 ? 1 : 0;
    if (extent < 1 && (extent != -1 || unknown > 1))
      model::refuse(layer.kind(),
                    "the extents of target_shape must be >= 1, or one of them -1, got " +
                        Shape(layer.target_shape).text());
  }
}

}  // namespace

Reshape Reshape::from_config(const Config& config) {
  Reshape layer;
  model::read_fields(config, layer);
  check_target(layer);
  return layer;
}

Config Reshape::config() const { return model::write_fields(kind(), *this); }

Shape Reshape::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  check_target(*this);
  std::vector<std::int64_t> extents = target_shape;
  const auto unknown = std::find(extents.begin(), extents.end(), -1);
  if (unknown != extents.end()) *unknown = 1;
  const std::int64_t known = Shape(extents).size();
  if (unknown != extents.end()) *unknown = std::max<std::int64_t>(1, input.size() / known);
  Shape shape(std::move(extents));
  if (shape.size() != input.size())
    model::refuse(kind(), "target_shape " + Shape(target_shape).text() + " does not hold the " +
                              std::to_string(input.size()) + " numbers of its input's shape " +
                              input.text());
  return shape;
}

std::vector<ParameterSpec> Reshape::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

Flatten Flatten::from_config(const Config& config) {
  Flatten layer;
  model::read_fields(config, layer);
  return layer;
}

Config Flatten::config() const { return model::write_fields(kind(), *this); }

Shape Flatten::output_shape(const std::vector<Shape>& inputs) const {
  return model::check_layer(*this, inputs).size();
}

std::vector<ParameterSpec> Flatten::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule
