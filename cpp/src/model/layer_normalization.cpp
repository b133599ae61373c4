// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, LayerNormalization>
static void visit_fields(Visit& visit, Self& self) {
  visit("epsilon", self.epsilon, model::positive);
  visit("center", self.center);
  visit("scale", self.scale);
}

LayerNormalization LayerNormalization::from_config(const Config& config) {
  LayerNormalization layer;
  model::read_fields(config, layer);
  return layer;
}

Config LayerNormalization::config() const { return model::write_fields(kind(), *this); }

std::int64_t LayerNormalization::outputs(std::int64_t inputs) const {
  model::check_layer(*this, inputs);
  return inputs;
}

std::vector<ParameterSpec> LayerNormalization::parameters(std::int64_t inputs) const {
  const std::int64_t columns = outputs(inputs);
  const Initializer ones{Initializer::Kind::constant, Initializer::Constant{1.0}};
  std::vector<ParameterSpec> specs;
  if (scale) specs.push_back({.name = "gamma", .columns = columns, .initializer = ones});
  if (center) specs.push_back({.name = "beta", .columns = columns});
  return specs;
}

}  // namespace chainrule
