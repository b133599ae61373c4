// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/parameter_factors.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, BatchNormalization>
static void visit_fields(Visit& visit, Self& self) {
  visit("momentum", self.momentum, model::fraction);
  visit("epsilon", self.epsilon, model::positive);
  visit("center", self.center);
  visit("scale", self.scale);
  model::visit_factors(visit, self);
}

BatchNormalization BatchNormalization::from_config(const Config& config) {
  BatchNormalization layer;
  model::read_fields(config, layer);
  return layer;
}

Config BatchNormalization::config() const { return model::write_fields(kind(), *this); }

Shape BatchNormalization::output_shape(const std::vector<Shape>& inputs) const {
  return model::check_layer(*this, inputs);
}

std::vector<ParameterSpec> BatchNormalization::parameters(const std::vector<Shape>& inputs) const {
  const std::int64_t columns = output_shape(inputs).columns();
  const Initializer zeros;
  const Initializer ones{Initializer::Kind::constant, Initializer::Constant{1.0}};
  std::vector<ParameterSpec> specs;
  if (scale) specs.push_back({.name = "gamma", .shape = columns, .initializer = ones});
  if (center) specs.push_back({.name = "beta", .shape = columns, .initializer = zeros});
  specs.push_back(
      {.name = "running_mean", .shape = columns, .initializer = zeros, .trainable = false});
  specs.push_back(
      {.name = "running_variance", .shape = columns, .initializer = ones, .trainable = false});
  return model::with_factors(std::move(specs), *this);
}

}  // namespace chainrule
