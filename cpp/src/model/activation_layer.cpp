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

std::int64_t ActivationLayer::outputs(std::int64_t inputs) const {
  model::check_layer(*this, inputs);
  return inputs;
}

std::vector<ParameterSpec> ActivationLayer::parameters(std::int64_t inputs) const {
  outputs(inputs);
  return {};
}

}  // namespace chainrule
