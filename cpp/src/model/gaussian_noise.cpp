// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, GaussianNoise>
static void visit_fields(Visit& visit, Self& self) {
  visit("stddev", self.stddev, model::non_negative);
}

GaussianNoise GaussianNoise::from_config(const Config& config) {
  GaussianNoise noise;
  model::read_fields(config, noise);
  return noise;
}

Config GaussianNoise::config() const { return model::write_fields(kind(), *this); }

Shape GaussianNoise::output_shape(const std::vector<Shape>& inputs) const {
  return model::check_layer(*this, inputs);
}

std::vector<ParameterSpec> GaussianNoise::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule
