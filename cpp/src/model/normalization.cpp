// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <string>

#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/columns.hpp"
#include "model/fields.hpp"
#include "model/kinds.hpp"

namespace chainrule {
namespace {

using Method = Normalization::Method;
using Missing = Normalization::Missing;

constexpr auto methods = model::kinds_of<Method, Method::robust>("method", "standard", "robust");
constexpr auto missing_names =
    model::kinds_of<Missing, Missing::indicator>("missing", "error", "zero", "indicator");

/// The options as a config holds them: choices by their names. Those that are not given are as they
/// were before there were any, in files too.
struct NormalizationOptions {
  std::optional<std::string> method;
  std::optional<double> clip;
  std::optional<std::string> missing;
  std::vector<std::int64_t> columns;
  std::vector<std::int64_t> indicator_columns;
  std::optional<bool> invert;
};

template <class Visit, class Self>
  requires model::described_as<Self, NormalizationOptions>
void visit_fields(Visit& visit, Self& self) {
  visit("method", self.method);
  visit("clip", self.clip, model::positive);
  visit("missing", self.missing);
  visit("columns", self.columns, model::non_negative);
  visit("indicator_columns", self.indicator_columns, model::non_negative);
  visit("invert", self.invert);
}

/// Throws Error unless all options fit each other and x of `inputs` columns.
void check(const Normalization& layer, std::int64_t inputs) {
  if (layer.clip) model::check_value(layer.kind(), "clip", *layer.clip, model::positive);
  if (layer.invert && (layer.clip || layer.missing != Missing::error))
    model::refuse(layer.kind(), "invert goes with neither clip nor missing");
  model::check_columns(layer.kind(), "columns", layer.columns, inputs);
  model::check_columns(layer.kind(), "indicator_columns", layer.indicator_columns, inputs);
  if (layer.indicator_columns.empty()) return;
  if (layer.missing != Missing::indicator)
    model::refuse(layer.kind(), "indicator_columns needs missing 'indicator', got '" +
                                    std::string(missing_names.name(layer.missing)) + "'");
  for (const std::int64_t column : layer.indicator_columns)
    if (!layer.columns.empty() &&
        std::find(layer.columns.begin(), layer.columns.end(), column) == layer.columns.end())
      model::refuse(layer.kind(),
                    "indicator_columns must be among columns, got " + std::to_string(column));
}

}  // namespace

Normalization Normalization::from_config(const Config& config) {
  NormalizationOptions options;
  model::read_fields(config, options);
  Normalization layer;
  if (options.method)
    layer.method =
        model::within(layer.kind(), "method", [&] { return methods.find(*options.method); });
  if (options.missing)
    layer.missing = model::within(layer.kind(), "missing",
                                  [&] { return missing_names.find(*options.missing); });
  layer.clip = options.clip;
  layer.columns = std::move(options.columns);
  layer.indicator_columns = std::move(options.indicator_columns);
  layer.invert = options.invert.value_or(false);
  check(layer, std::numeric_limits<std::int64_t>::max());
  return layer;
}

Config Normalization::config() const {
  NormalizationOptions options{{}, clip, {}, columns, indicator_columns, {}};
  if (method != Method::standard) options.method = methods.name(method);
  if (missing != Missing::error) options.missing = missing_names.name(missing);
  if (invert) options.invert = true;
  return model::write_fields(kind(), options);
}

std::vector<bool> Normalization::normalized(std::int64_t inputs) const {
  std::vector<bool> chosen(static_cast<std::size_t>(inputs), columns.empty());
  for (const std::int64_t column : columns) chosen[static_cast<std::size_t>(column)] = true;
  return chosen;
}

std::vector<std::int64_t> Normalization::indicators(std::int64_t inputs) const {
  if (missing != Missing::indicator) return {};
  return model::or_all(indicator_columns.empty() ? columns : indicator_columns, inputs);
}

Shape Normalization::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::single_input(kind(), inputs);
  const std::int64_t read = input.columns();
  check(*this, read);
  constexpr std::int64_t most = std::int64_t{1} << 48;
  if (missing == Missing::indicator && read > most / 2)
    model::refuse(kind(), "columns of x must be at most 2^47");
  return input.with_columns(read + static_cast<std::int64_t>(indicators(read).size()));
}

std::vector<ParameterSpec> Normalization::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  const std::int64_t read = inputs.front().columns();
  const Initializer ones{Initializer::Kind::constant, Initializer::Constant{1.0}};
  const bool standard = method == Method::standard;
  return {{.name = standard ? "mean" : "center", .shape = read, .trainable = false},
          {.name = standard ? "variance" : "scale",
           .shape = read,
           .initializer = ones,
           .trainable = false}};
}

}  // namespace chainrule
