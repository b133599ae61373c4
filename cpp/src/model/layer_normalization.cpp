// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/parameter_factors.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, LayerNormalization>
static void visit_fields(Visit& visit, Self& self) {
  visit("epsilon", self.epsilon, model::positive);
  visit("center", self.center);
  visit("scale", self.scale);
  model::visit_factors(visit, self);
}

LayerNormalization LayerNormalization::from_config(const Config& config) {
  LayerNormalization layer;
  model::read_fields(config, layer);
  return layer;
}

Config LayerNormalization::config() const { return model::write_fields(kind(), *this); }

Shape LayerNormalization::output_shape(const std::vector<Shape>& inputs) const {
  return model::check_layer(*this, inputs);
}

std::vector<ParameterSpec> LayerNormalization::parameters(const std::vector<Shape>& inputs) const {
  const std::int64_t columns = output_shape(inputs).columns();
  const Initializer ones{Initializer::Kind::constant, Initializer::Constant{1.0}};
  std::vector<ParameterSpec> specs;
  if (scale) specs.push_back({.name = "gamma", .shape = columns, .initializer = ones});
  if (center) specs.push_back({.name = "beta", .shape = columns});
  return model::with_factors(std::move(specs), *this);
}

}  // namespace chainrule
