// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/parameter_factors.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, Scale>
static void visit_fields(Visit& visit, Self& self) {
  visit("initial_scale", self.initial_scale);
  visit("scale_initializer", self.scale_initializer);
  model::visit_factors(visit, self);
}

Scale Scale::from_config(const Config& config) {
  Scale layer;
  model::read_fields(config, layer);
  return layer;
}

Config Scale::config() const { return model::write_fields(kind(), *this); }

Shape Scale::output_shape(const std::vector<Shape>& inputs) const {
  return model::check_layer(*this, inputs);
}

std::vector<ParameterSpec> Scale::parameters(const std::vector<Shape>& inputs) const {
  const std::int64_t columns = output_shape(inputs).columns();
  const Initializer constant{Initializer::Kind::constant, Initializer::Constant{initial_scale}};
  return model::with_factors(
      {{.name = "scale", .shape = columns, .initializer = scale_initializer.value_or(constant)}},
      *this);
}

}  // namespace chainrule
