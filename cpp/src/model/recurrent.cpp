// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>

#include "chainrule/recurrent_layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/parameter_factors.hpp"

namespace chainrule {
namespace {

template <class Visit, class Self>
void visit_common_fields(Visit& visit, Self& self) {
  visit("return_sequences", self.return_sequences);
  visit("return_state", self.return_state);
  visit("go_backwards", self.go_backwards);
  visit("use_bias", self.use_bias);
  visit("weight_initializer", self.weight_initializer);
  visit("recurrent_initializer", self.recurrent_initializer);
  visit("bias_initializer", self.bias_initializer);
  visit("l1", self.l1, model::non_negative);
  visit("l2", self.l2, model::non_negative);
  visit("recurrent_dropout", self.recurrent_dropout, model::half_open_fraction);
  visit("truncate_gradient", self.truncate_gradient, model::non_negative);
  model::visit_factors(visit, self);
}

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, SimpleRNN>
static void visit_fields(Visit& visit, Self& self) {
  visit("units", self.units, model::at_least_one);
  visit("activation", self.activation);
  visit_common_fields(visit, self);
}

template <class Visit, class Self>
  requires model::described_as<Self, GRU>
static void visit_fields(Visit& visit, Self& self) {
  visit("units", self.units, model::at_least_one);
  visit_common_fields(visit, self);
}

template <class Visit, class Self>
  requires model::described_as<Self, LSTM>
static void visit_fields(Visit& visit, Self& self) {
  visit("units", self.units, model::at_least_one);
  visit("unit_forget_bias", self.unit_forget_bias);
  visit_common_fields(visit, self);
}

bool RecurrentLayer::reads_lengths(const std::vector<Shape>& inputs) const {
  return inputs.size() == 2 + states() || (inputs.size() == 2 && inputs[1] == Shape(1));
}

Shape RecurrentLayer::output_shape(const std::vector<Shape>& inputs) const {
  check_options();
  const Shape& input = inputs.size() > 1 ? inputs[0] : model::single_input(kind(), inputs);
  const std::size_t first = reads_lengths(inputs) ? 2 : 1;  // of the states
  bool fits = inputs.size() == first || inputs.size() == first + states();
  std::string others;
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    fits = fits && inputs[i] == Shape(i < first ? 1 : units);
    others += (i > 1 ? ", " : "") + inputs[i].text();
  }
  if (!fits)
    model::refuse(kind(), std::string("besides its rows it may read the ") +
                              (states() == 1 ? "state" : "two states") +
                              " to begin with, of shape " + Shape(units).text() +
                              ", and before that the length of each row, of shape (1,), got " +
                              others);
  if (input.extents().size() != 2)
    model::refuse(kind(), "it reads rows of shape (time, features), got " + input.text() +
                              "; an Input or a Reshape says their shape");
  constexpr std::int64_t most_weights = std::int64_t{1} << 48;
  if (units > most_weights / gates() / std::max(input.columns(), units))
    model::refuse(kind(), "a matrix must have at most 2^48 entries, got " +
                              std::to_string(std::max(input.columns(), units)) + " * " +
                              std::to_string(gates()) + " * " + std::to_string(units));
  if (!return_state) return return_sequences ? input.with_columns(units) : Shape(units);
  const std::int64_t steps = return_sequences ? input.positions() : 0;
  return {steps + static_cast<std::int64_t>(states()), units};
}

std::vector<ParameterSpec> RecurrentLayer::arrays(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  const std::int64_t columns = gates() * units;
  std::vector<ParameterSpec> specs{{.name = "weight",
                                    .shape = {inputs.front().columns(), columns},
                                    .initializer = weight_initializer,
                                    .l1 = l1,
                                    .l2 = l2},
                                   {.name = "recurrent_weight",
                                    .shape = {units, columns},
                                    .initializer = recurrent_initializer,
                                    .l1 = l1,
                                    .l2 = l2}};
  if (use_bias)
    specs.push_back({.name = "bias", .shape = columns, .initializer = bias_initializer});
  return specs;
}

SimpleRNN SimpleRNN::from_config(const Config& config) {
  SimpleRNN layer;
  model::read_fields(config, layer);
  return layer;
}

Config SimpleRNN::config() const { return model::write_fields(kind(), *this); }

void SimpleRNN::check_options() const { model::check_fields(kind(), *this); }

std::vector<ParameterSpec> SimpleRNN::parameters(const std::vector<Shape>& inputs) const {
  return model::with_factors(arrays(inputs), *this);
}

GRU GRU::from_config(const Config& config) {
  GRU layer;
  model::read_fields(config, layer);
  return layer;
}

Config GRU::config() const { return model::write_fields(kind(), *this); }

void GRU::check_options() const { model::check_fields(kind(), *this); }

std::vector<ParameterSpec> GRU::parameters(const std::vector<Shape>& inputs) const {
  std::vector<ParameterSpec> specs = arrays(inputs);
  if (use_bias) {
    specs.push_back(specs.back());
    specs.back().name = "recurrent_bias";
  }
  return model::with_factors(std::move(specs), *this);
}

LSTM LSTM::from_config(const Config& config) {
  LSTM layer;
  model::read_fields(config, layer);
  return layer;
}

Config LSTM::config() const { return model::write_fields(kind(), *this); }

void LSTM::check_options() const { model::check_fields(kind(), *this); }

std::vector<ParameterSpec> LSTM::parameters(const std::vector<Shape>& inputs) const {
  std::vector<ParameterSpec> specs = arrays(inputs);
  if (use_bias && unit_forget_bias) {
    specs.back().ones_begin = units;
    specs.back().ones_end = 2 * units;
  }
  return model::with_factors(std::move(specs), *this);
}

}  // namespace chainrule
