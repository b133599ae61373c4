// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "chainrule/layers.hpp"
#include "model/categories.hpp"
#include "model/check_layer.hpp"
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
};

template <class Visit, class Self>
  requires model::described_as<Self, EncodingOptions>
void visit_fields(Visit& visit, Self& self) {
  visit("num_tokens", self.num_tokens, model::at_least_one);
  visit("output_mode", self.output_mode);
}

}  // namespace

CategoryEncoding CategoryEncoding::from_config(const Config& config) {
  EncodingOptions options{{}, std::string(mode_names.name(OutputMode::one_hot))};
  model::read_fields(config, options);
  CategoryEncoding encoding(std::move(options.num_tokens));
  encoding.output_mode = model::within(encoding.kind(), "output_mode",
                                       [&] { return mode_names.find(options.output_mode); });
  encoding.check();
  return encoding;
}

Config CategoryEncoding::config() const {
  const EncodingOptions options{num_tokens, std::string(mode_names.name(output_mode))};
  return model::write_fields(kind(), options);
}

void CategoryEncoding::check() const {
  if (num_tokens.empty()) model::refuse(kind(), "num_tokens is missing; it must be >= 1");
  model::check_value(kind(), "num_tokens", num_tokens, model::at_least_one);
  if (output_mode != OutputMode::one_hot && num_tokens.size() > 1)
    model::refuse(kind(), "num_tokens must be a single number with output_mode '" +
                              std::string(mode_names.name(output_mode)) +
                              "', which all columns share, got " +
                              std::to_string(num_tokens.size()) + " numbers");
}

std::vector<std::int64_t> CategoryEncoding::categories(std::int64_t inputs) const {
  output_shape({inputs});
  return model::for_each_column(num_tokens, inputs);
}

Shape CategoryEncoding::output_shape(const std::vector<Shape>& shapes) const {
  check();
  const std::int64_t inputs = model::single_input(kind(), shapes).size();
  const std::int64_t blocks = output_mode == OutputMode::one_hot ? inputs : 1;
  return model::total_categories(kind(), "num_tokens", num_tokens, blocks);
}

std::vector<ParameterSpec> CategoryEncoding::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule
