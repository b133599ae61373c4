// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "chainrule/layers.hpp"
#include "model/categories.hpp"
#include "model/check_layer.hpp"
#include "model/columns.hpp"
#include "model/fields.hpp"
#include "model/kinds.hpp"

namespace chainrule {
namespace {

using OutputMode = CategoryEncoding::OutputMode;

constexpr auto mode_names =
    model::kinds_of<OutputMode, OutputMode::count>("output_mode", "one_hot", "multi_hot", "count");

/// The options as a config holds them: the mode by its name.
struct EncodingOptions {
  std::vector<std::int64_t> num_tokens;
  std::string output_mode;
  std::vector<std::int64_t> columns;
  model::UnseenOptions unseen;
  std::optional<bool> binary_as_sign;
};

template <class Visit, class Self>
  requires model::described_as<Self, EncodingOptions>
void visit_fields(Visit& visit, Self& self) {
  visit("num_tokens", self.num_tokens, model::at_least_one);
  visit("output_mode", self.output_mode);
  visit("columns", self.columns, model::non_negative);
  visit("unknown", self.unseen.unknown);
  visit("missing", self.unseen.missing);
  visit("binary_as_sign", self.binary_as_sign);
}

}  // namespace

CategoryEncoding CategoryEncoding::from_config(const Config& config) {
  EncodingOptions options;
  options.output_mode = mode_names.name(OutputMode::one_hot);
  model::read_fields(config, options);
  CategoryEncoding encoding(std::move(options.num_tokens));
  encoding.output_mode = model::within(encoding.kind(), "output_mode",
                                       [&] { return mode_names.find(options.output_mode); });
  encoding.columns = std::move(options.columns);
  options.unseen.read(encoding.kind(), encoding.unknown, encoding.missing);
  encoding.binary_as_sign = options.binary_as_sign.value_or(false);
  encoding.check();
  return encoding;
}

Config CategoryEncoding::config() const {
  EncodingOptions options{num_tokens,
                          std::string(mode_names.name(output_mode)),
                          columns,
                          model::UnseenOptions::of(unknown, missing),
                          {}};
  if (binary_as_sign) options.binary_as_sign = true;
  return model::write_fields(kind(), options);
}

void CategoryEncoding::check() const {
  if (num_tokens.empty()) model::refuse(kind(), "num_tokens is missing; it must be >= 1");
  model::check_value(kind(), "num_tokens", num_tokens, model::at_least_one);
  if (output_mode == OutputMode::one_hot) return;
  const std::string mode = "output_mode '" + std::string(mode_names.name(output_mode)) + "'";
  if (num_tokens.size() > 1)
    model::refuse(kind(), "num_tokens must be a single number with " + mode +
                              ", which all columns share, got " +
                              std::to_string(num_tokens.size()) + " numbers");
  if (binary_as_sign) model::refuse(kind(), "binary_as_sign does not go with " + mode);
}

namespace {

/// How many outputs a column of categories has, for each number of its categories.
std::vector<std::int64_t> blocks(const CategoryEncoding& layer) {
  std::vector<std::int64_t> sizes = layer.num_tokens;
  if (layer.binary_as_sign)
    std::replace(sizes.begin(), sizes.end(), std::int64_t{2}, std::int64_t{1});
  return model::with_more(std::move(sizes), model::more_codes(layer));
}

}  // namespace

std::vector<std::int64_t> CategoryEncoding::categories(std::int64_t inputs) const {
  output_shape({inputs});
  const std::vector<std::int64_t> held = model::or_all(columns, inputs);
  const std::vector<std::int64_t> each =
      model::for_each_column(num_tokens, static_cast<std::int64_t>(held.size()));
  std::vector<std::int64_t> counts(static_cast<std::size_t>(inputs), 0);
  for (std::size_t c = 0; c < held.size(); ++c) counts[static_cast<std::size_t>(held[c])] = each[c];
  return counts;
}

std::vector<std::int64_t> CategoryEncoding::widths(std::int64_t inputs) const {
  output_shape({inputs});
  const std::vector<std::int64_t> held = model::or_all(columns, inputs);
  const bool shared = output_mode != OutputMode::one_hot;
  const std::vector<std::int64_t> each =
      model::for_each_column(blocks(*this), static_cast<std::int64_t>(held.size()));
  std::vector<std::int64_t> result(static_cast<std::size_t>(inputs), 1);
  for (std::size_t c = 0; c < held.size(); ++c)
    result[static_cast<std::size_t>(held[c])] = shared ? 0 : each[c];
  if (shared)
    result[static_cast<std::size_t>(*std::min_element(held.begin(), held.end()))] = each[0];
  return result;
}

Shape CategoryEncoding::output_shape(const std::vector<Shape>& shapes) const {
  check();
  const std::int64_t inputs = model::single_input(kind(), shapes).size();
  model::check_columns(kind(), "columns", columns, inputs);
  const std::int64_t held = columns.empty() ? inputs : static_cast<std::int64_t>(columns.size());
  const std::int64_t encoded = model::total_categories(
      kind(), "num_tokens", blocks(*this), output_mode == OutputMode::one_hot ? held : 1);
  constexpr std::int64_t most = std::int64_t{1} << 48;
  if (inputs - held > most) model::refuse(kind(), "columns of x must be at most 2^48");
  return encoded + inputs - held;
}

std::vector<ParameterSpec> CategoryEncoding::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule
