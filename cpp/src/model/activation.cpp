// SPDX-License-Identifier: Apache-2.0
#include "chainrule/activation.hpp"

#include "model/fields.hpp"
#include "model/kinds.hpp"

namespace chainrule {
namespace {

using Kind = Activation::Kind;

constexpr auto kind_names = model::kinds_of<Kind, Kind::softmax>(
    "activation", "linear", "relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "silu", "sigmoid",
    "tanh", "softplus", "softmax");

/// Options of "gelu", which choose between two kinds and so are no fields of Activation.
struct GeluOptions {
  std::string approximate = "none";
};

template <class Visit, class Self>
  requires model::described_as<Self, GeluOptions>
void visit_fields(Visit& visit, Self& self) {
  visit("approximate", self.approximate);
}

Kind gelu_kind(const GeluOptions& options) {
  if (options.approximate == "none") return Kind::gelu;
  if (options.approximate == "tanh") return Kind::gelu_tanh;
  throw Error(unknown_name("gelu approximate", options.approximate, {"none", "tanh"}));
}

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, Activation>
static void visit_fields(Visit& visit, Self& self) {
  if (self.kind == Kind::leaky_relu) visit("negative_slope", self.parameter, model::non_negative);
  if (self.kind == Kind::elu) visit("alpha", self.parameter, model::non_negative);
}

Activation Activation::defaults(Kind kind) {
  if (kind == Kind::leaky_relu) return {kind, 0.01};
  if (kind == Kind::elu) return {kind, 1.0};
  return {kind, 0.0};
}

Activation Activation::from_config(const Config& config) {
  Activation activation = defaults(kind_names.find(config.kind));
  if (activation.kind == Kind::gelu) {
    GeluOptions options;
    model::read_fields(config, options);
    activation.kind = gelu_kind(options);
  } else {
    model::read_fields(config, activation);
  }
  return activation;
}

Config Activation::config() const { return model::write_fields(kind_names.name(kind), *this); }

std::vector<std::string> Activation::kinds() { return kind_names.all(); }

void Activation::check() const { model::check_fields(kind_names.name(kind), *this); }

}  // namespace chainrule
