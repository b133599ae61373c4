// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/step_schedule.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, Dropout>
static void visit_fields(Visit& visit, Self& self) {
  visit("rate", self.rate, model::half_open_fraction);
  visit("rate_schedule", self.rate_schedule);
  visit("per_channel", self.per_channel);
}

Dropout Dropout::from_config(const Config& config) {
  Dropout dropout;
  model::read_fields(config, dropout);
  dropout.output_shape({1});
  return dropout;
}

Config Dropout::config() const {
  Config config = model::write_fields(kind(), *this);
  // Files without it stay readable for versions that do not know it.
  if (!per_channel) config.options.pop_back();
  return config;
}

Shape Dropout::output_shape(const std::vector<Shape>& inputs) const {
  if (rate_schedule) model::check_step_schedule(kind(), "rate_schedule", *rate_schedule);
  return model::check_layer(*this, inputs);
}

std::vector<ParameterSpec> Dropout::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule
