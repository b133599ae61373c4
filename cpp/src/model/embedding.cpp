// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>
#include <string>

#include "chainrule/layers.hpp"
#include "model/categories.hpp"
#include "model/check_layer.hpp"
#include "model/columns.hpp"
#include "model/fields.hpp"
#include "model/parameter_factors.hpp"

namespace chainrule {

namespace {

/// The options as a config holds them.
struct EmbeddingOptions {
  Embedding layer;
  model::UnseenOptions unseen;
};

template <class Visit, class Self>
  requires model::described_as<Self, EmbeddingOptions>
void visit_fields(Visit& visit, Self& self) {
  visit("num_embeddings", self.layer.num_embeddings, model::at_least_one);
  visit("units", self.layer.units, model::at_least_one);
  visit("columns", self.layer.columns, model::non_negative);
  visit("weight_initializer", self.layer.weight_initializer);
  visit("unknown", self.unseen.unknown);
  visit("missing", self.unseen.missing);
  model::visit_factors(visit, self.layer);
}

}  // namespace

Embedding Embedding::from_config(const Config& config) {
  EmbeddingOptions options;
  model::read_fields(config, options);
  Embedding& embedding = options.layer;
  options.unseen.read(embedding.kind(), embedding.unknown, embedding.missing);
  if (embedding.num_embeddings.empty())
    model::refuse(embedding.kind(), "num_embeddings is missing; it must be >= 1");
  return embedding;
}

Config Embedding::config() const {
  return model::write_fields(kind(),
                             EmbeddingOptions{*this, model::UnseenOptions::of(unknown, missing)});
}

std::int64_t Embedding::checked_columns(std::int64_t inputs) const {
  model::check_fields(kind(), EmbeddingOptions{*this, {}});
  model::check_value(kind(), "inputs", inputs, model::at_least_one);
  if (num_embeddings.empty()) model::refuse(kind(), "num_embeddings is missing; it must be >= 1");
  model::check_columns(kind(), "columns", columns, inputs);
  return columns.empty() ? inputs : static_cast<std::int64_t>(columns.size());
}

Shape Embedding::output_shape(const std::vector<Shape>& shapes) const {
  const std::int64_t inputs = model::single_input(kind(), shapes).size();
  const std::int64_t embedded = checked_columns(inputs);
  constexpr std::int64_t most = std::int64_t{1} << 48;
  const std::int64_t rows = model::total_categories(
      kind(), "num_embeddings", model::with_more(num_embeddings, model::more_codes(*this)),
      num_embeddings.size() == 1 ? 1 : embedded);
  if (units > most / std::max(rows, inputs))
    model::refuse(kind(), "units times rows of the tables, or columns of x, must be at most 2^48");
  return embedded * units + inputs - embedded;
}

std::vector<ParameterSpec> Embedding::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  const std::int64_t rows =
      std::accumulate(num_embeddings.begin(), num_embeddings.end(),
                      model::more_codes(*this) * static_cast<std::int64_t>(num_embeddings.size()));
  return model::with_factors(
      {{.name = "weight", .shape = {rows, units}, .initializer = weight_initializer}}, *this);
}

std::vector<std::int64_t> Embedding::category_columns(std::int64_t inputs) const {
  output_shape({inputs});
  return model::or_all(columns, inputs);
}

std::vector<std::int64_t> Embedding::categories(std::int64_t inputs) const {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(inputs), 0);
  const std::vector<std::int64_t> embedded = category_columns(inputs);
  const std::vector<std::int64_t> each =
      model::for_each_column(num_embeddings, static_cast<std::int64_t>(embedded.size()));
  for (std::size_t c = 0; c < embedded.size(); ++c)
    counts[static_cast<std::size_t>(embedded[c])] = each[c];
  return counts;
}

}  // namespace chainrule
