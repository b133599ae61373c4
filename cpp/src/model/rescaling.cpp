// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, Rescaling>
static void visit_fields(Visit& visit, Self& self) {
  visit("scale", self.scale);
  visit("offset", self.offset);
}

Rescaling Rescaling::from_config(const Config& config) {
  Rescaling rescaling;
  model::read_fields(config, rescaling);
  return rescaling;
}

Config Rescaling::config() const { return model::write_fields(kind(), *this); }

Shape Rescaling::output_shape(const std::vector<Shape>& inputs) const {
  return model::check_layer(*this, inputs);
}

std::vector<ParameterSpec> Rescaling::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule
