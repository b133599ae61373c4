// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/parameter_factors.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, ParametricActivation>
static void visit_fields(Visit& visit, Self& self) {
  visit("activation", self.activation);
  visit("initial_alpha", self.initial_alpha);
  model::visit_factors(visit, self);
}

ParametricActivation::ParametricActivation(std::string_view activation_)
    : ParametricActivation(Activation::from_config({std::string(activation_), {}})) {}

ParametricActivation ParametricActivation::from_config(const Config& config) {
  ParametricActivation layer;
  model::read_fields(config, layer);
  layer.check_activation();
  return layer;
}

Config ParametricActivation::config() const { return model::write_fields(kind(), *this); }

void ParametricActivation::check_activation() const {
  if (activation.kind == Activation::Kind::softmax)
    model::refuse(kind(), "activation must be one of each value by itself, got softmax");
}

Shape ParametricActivation::output_shape(const std::vector<Shape>& inputs) const {
  check_activation();
  return model::check_layer(*this, inputs);
}

std::vector<ParameterSpec> ParametricActivation::parameters(
    const std::vector<Shape>& inputs) const {
  const std::int64_t columns = output_shape(inputs).columns();
  const Initializer first{Initializer::Kind::constant, Initializer::Constant{initial_alpha}};
  return model::with_factors({{.name = "alpha", .shape = columns, .initializer = first}}, *this);
}

}  // namespace chainrule
