// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <numbers>
#include <string>

#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/parameter_factors.hpp"

namespace chainrule {

namespace {

constexpr model::Range few_waves{"in [1, 64]", 1.0, 64.0, true, true};
constexpr model::Range few_units{"in [1, 32]", 1.0, 32.0, true, true};

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, PeriodicEmbedding>
static void visit_fields(Visit& visit, Self& self) {
  visit("units", self.units, few_units);
  visit("frequencies", self.frequencies, few_waves);
  visit("frequency_stddev", self.frequency_stddev, model::positive);
  model::visit_factors(visit, self);
}

PeriodicEmbedding PeriodicEmbedding::from_config(const Config& config) {
  PeriodicEmbedding layer;
  model::read_fields(config, layer);
  return layer;
}

Config PeriodicEmbedding::config() const { return model::write_fields(kind(), *this); }

Shape PeriodicEmbedding::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  constexpr std::int64_t most_columns = std::int64_t{1} << 40;
  if (input.columns() > most_columns)
    model::refuse(kind(), "inputs must be at most 2^40, got " + std::to_string(input.columns()));
  return input.with_columns(input.columns() * (1 + units));
}

std::vector<ParameterSpec> PeriodicEmbedding::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  const std::int64_t columns = inputs.front().columns();
  const Initializer normal{Initializer::Kind::normal, Initializer::Normal{0.0, frequency_stddev}};
  const Initializer around{Initializer::Kind::uniform,
                           Initializer::Uniform{-std::numbers::pi, std::numbers::pi}};
  const double bound = 1.0 / std::sqrt(static_cast<double>(frequencies));
  const Initializer small{Initializer::Kind::uniform, Initializer::Uniform{-bound, bound}};
  return model::with_factors(
      {{.name = "frequency", .shape = {columns, frequencies}, .initializer = normal},
       {.name = "phase", .shape = {columns, frequencies}, .initializer = around},
       {.name = "weight", .shape = {columns, units, frequencies}, .initializer = small},
       {.name = "bias", .shape = {columns, units}, .initializer = small}},
      *this);
}

}  // namespace chainrule
