// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <string>

#include "chainrule/shape_layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, Permute>
static void visit_fields(Visit& visit, Self& self) {
  visit("dims", self.dims, model::at_least_one);
}

namespace {

/// Throws Error unless each of 1, 2, ... is there once.
void check_dims(const Permute& layer) {
  std::vector<std::int64_t> sorted = layer.dims;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] != static_cast<std::int64_t>(i) + 1)
      model::refuse(layer.kind(), "dims must have each of 1 to " + std::to_string(sorted.size()) +
                                      " once, got " + Shape(layer.dims).text());
  }
  if (sorted.empty())
    model::refuse(layer.kind(), "dims is missing; it must have each axis from 1 once");
}

}  // namespace

Permute Permute::from_config(const Config& config) {
  Permute layer;
  model::read_fields(config, layer);
  check_dims(layer);
  return layer;
}

Config Permute::config() const { return model::write_fields(kind(), *this); }

Shape Permute::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  check_dims(*this);
  if (input.rank() != static_cast<std::int64_t>(dims.size()))
    model::refuse(kind(), "dims " + Shape(dims).text() + " has " + std::to_string(dims.size()) +
                              " axes for an input of shape " + input.text());
  std::vector<std::int64_t> extents;
  for (const std::int64_t axis : dims)
    extents.push_back(input.extents()[static_cast<std::size_t>(axis) - 1]);
  return Shape(std::move(extents));
}

std::vector<ParameterSpec> Permute::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule
