// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/parameter_factors.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, PReLU>
static void visit_fields(Visit& visit, Self& self) {
  visit("initial_slope", self.initial_slope);
  model::visit_factors(visit, self);
}

PReLU PReLU::from_config(const Config& config) {
  PReLU layer;
  model::read_fields(config, layer);
  return layer;
}

Config PReLU::config() const { return model::write_fields(kind(), *this); }

Shape PReLU::output_shape(const std::vector<Shape>& inputs) const {
  return model::check_layer(*this, inputs);
}

std::vector<ParameterSpec> PReLU::parameters(const std::vector<Shape>& inputs) const {
  const std::int64_t columns = output_shape(inputs).columns();
  const Initializer first{Initializer::Kind::constant, Initializer::Constant{initial_slope}};
  return model::with_factors({{.name = "slope", .shape = columns, .initializer = first}}, *this);
}

}  // namespace chainrule
