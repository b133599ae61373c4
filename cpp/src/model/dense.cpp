// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/parameter_factors.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, Dense>
static void visit_fields(Visit& visit, Self& self) {
  visit("units", self.units, model::at_least_one);
  visit("activation", self.activation);
  visit("use_bias", self.use_bias);
  visit("weight_initializer", self.weight_initializer);
  visit("bias_initializer", self.bias_initializer);
  visit("l1", self.l1, model::non_negative);
  visit("l2", self.l2, model::non_negative);
  model::visit_factors(visit, self);
}

Dense::Dense(std::int64_t units_, std::string_view activation_)
    : Dense(units_, Activation::from_config({std::string(activation_), {}})) {}

Dense Dense::from_config(const Config& config) {
  Dense dense;
  model::read_fields(config, dense);
  return dense;
}

Config Dense::config() const { return model::write_fields(kind(), *this); }

Shape Dense::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  constexpr std::int64_t most_weights = std::int64_t{1} << 48;
  if (units > most_weights / input.columns())
    model::refuse(kind(), "inputs * units must be at most 2^48, got " +
                              std::to_string(input.columns()) + " * " + std::to_string(units));
  return input.with_columns(units);
}

std::vector<ParameterSpec> Dense::parameters(const std::vector<Shape>& inputs) const {
  const std::int64_t columns = output_shape(inputs).columns();
  const Initializer initializer =
      weight_initializer.value_or(Initializer::for_activation(activation));
  std::vector<ParameterSpec> specs{{.name = "weight",
                                    .shape = {inputs.front().columns(), columns},
                                    .initializer = initializer,
                                    .l1 = l1,
                                    .l2 = l2}};
  if (use_bias)
    specs.push_back({.name = "bias", .shape = columns, .initializer = bias_initializer});
  return model::with_factors(std::move(specs), *this);
}

}  // namespace chainrule
