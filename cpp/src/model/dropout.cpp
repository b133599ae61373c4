// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, Dropout>
static void visit_fields(Visit& visit, Self& self) {
  visit("rate", self.rate, model::half_open_fraction);
}

Dropout Dropout::from_config(const Config& config) {
  Dropout dropout;
  model::read_fields(config, dropout);
  return dropout;
}

Config Dropout::config() const { return model::write_fields(kind(), *this); }

Shape Dropout::output_shape(const std::vector<Shape>& inputs) const {
  return model::check_layer(*this, inputs);
}

std::vector<ParameterSpec> Dropout::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule
