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

std::int64_t Dropout::outputs(std::int64_t inputs) const {
  model::check_layer(*this, inputs);
  return inputs;
}

std::vector<ParameterSpec> Dropout::parameters(std::int64_t inputs) const {
  outputs(inputs);
  return {};
}

}  // namespace chainrule
