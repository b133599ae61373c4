// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, Normalization>
static void visit_fields(Visit&, Self&) {}

Normalization Normalization::from_config(const Config& config) {
  Normalization normalization;
  model::read_fields(config, normalization);
  return normalization;
}

Config Normalization::config() const { return model::write_fields(kind(), *this); }

Shape Normalization::output_shape(const std::vector<Shape>& inputs) const {
  return model::check_layer(*this, inputs);
}

std::vector<ParameterSpec> Normalization::parameters(const std::vector<Shape>& inputs) const {
  const std::int64_t columns = output_shape(inputs).columns();
  const Initializer ones{Initializer::Kind::constant, Initializer::Constant{1.0}};
  return {{.name = "mean", .shape = columns, .trainable = false},
          {.name = "variance", .shape = columns, .initializer = ones, .trainable = false}};
}

}  // namespace chainrule
