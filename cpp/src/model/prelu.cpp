// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, PReLU>
static void visit_fields(Visit& visit, Self& self) {
  visit("initial_slope", self.initial_slope);
}

PReLU PReLU::from_config(const Config& config) {
  PReLU layer;
  model::read_fields(config, layer);
  return layer;
}

Config PReLU::config() const { return model::write_fields(kind(), *this); }

std::int64_t PReLU::outputs(std::int64_t inputs) const {
  model::check_layer(*this, inputs);
  return inputs;
}

std::vector<ParameterSpec> PReLU::parameters(std::int64_t inputs) const {
  const std::int64_t columns = outputs(inputs);
  const Initializer first{Initializer::Kind::constant, Initializer::Constant{initial_slope}};
  return {{.name = "slope", .columns = columns, .initializer = first}};
}

}  // namespace chainrule
