// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, ActivationLayer>
static void visit_fields(Visit& visit, Self& self) {
  visit("activation", self.activation);
}

ActivationLayer::ActivationLayer(std::string_view activation_)
    : ActivationLayer(Activation::from_config({std::string(activation_), {}})) {}

ActivationLayer ActivationLayer::from_config(const Config& config) {
  ActivationLayer layer;
  model::read_fields(config, layer);
  return layer;
}

Config ActivationLayer::config() const { return model::write_fields(kind(), *this); }

Shape ActivationLayer::output_shape(const std::vector<Shape>& inputs) const {
  return model::check_layer(*this, inputs);
}

std::vector<ParameterSpec> ActivationLayer::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule
