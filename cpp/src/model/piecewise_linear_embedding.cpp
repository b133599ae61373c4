// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string>

#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/parameter_factors.hpp"

namespace chainrule {

namespace {

constexpr model::Range few_bins{"in [1, 128]", 1.0, 128.0, true, true};
constexpr model::Range few_sums{"in [1, 32]", 1.0, 32.0, true, true};

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, PiecewiseLinearEmbedding>
static void visit_fields(Visit& visit, Self& self) {
  visit("units", self.units, few_sums);
  visit("bins", self.bins, few_bins);
  model::visit_factors(visit, self);
}

PiecewiseLinearEmbedding PiecewiseLinearEmbedding::from_config(const Config& config) {
  PiecewiseLinearEmbedding layer;
  model::read_fields(config, layer);
  return layer;
}

Config PiecewiseLinearEmbedding::config() const { return model::write_fields(kind(), *this); }

Shape PiecewiseLinearEmbedding::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  constexpr std::int64_t most_columns = std::int64_t{1} << 40;
  if (input.columns() > most_columns)
    model::refuse(kind(), "inputs must be at most 2^40, got " + std::to_string(input.columns()));
  return input.with_columns(input.columns() * units);
}

std::vector<ParameterSpec> PiecewiseLinearEmbedding::parameters(
    const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  const std::int64_t columns = inputs.front().columns();
  const double bound = 1.0 / std::sqrt(static_cast<double>(bins));
  const Initializer small{Initializer::Kind::uniform, Initializer::Uniform{-bound, bound}};
  return model::with_factors(
      {{.name = "edges", .shape = {columns, bins + 1}, .trainable = false},
       {.name = "weight", .shape = {columns, units, bins}, .initializer = small},
       {.name = "bias", .shape = {columns, units}, .initializer = small}},
      *this);
}

}  // namespace chainrule
