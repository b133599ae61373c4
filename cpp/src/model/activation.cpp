// SPDX-License-Identifier: Apache-2.0
#include "chainrule/activation.hpp"

#include "model/fields.hpp"
#include "model/kinds.hpp"

namespace chainrule {
namespace {

using ActivationKind = Activation::Kind;

constexpr auto activation_kinds = model::kinds_of<ActivationKind, ActivationKind::softmax>(
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

ActivationKind gelu_kind(const GeluOptions& options) {
  if (options.approximate == "none") return ActivationKind::gelu;
  if (options.approximate == "tanh") return ActivationKind::gelu_tanh;
  throw Error(unknown_name("gelu approximate", options.approximate, {"none", "tanh"}));
}

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, Activation>
static void visit_fields(Visit& visit, Self& self) {
  if (self.kind == ActivationKind::leaky_relu)
    visit("negative_slope", self.parameter, model::non_negative);
  if (self.kind == ActivationKind::elu) visit("alpha", self.parameter, model::non_negative);
}

Activation Activation::defaults(ActivationKind kind) {
  if (kind == ActivationKind::leaky_relu) return {kind, 0.01};
  if (kind == ActivationKind::elu) return {kind, 1.0};
  return {kind, 0.0};
}

Activation Activation::from_config(const Config& config) {
  Activation activation = defaults(activation_kinds.find(config.kind));
  if (activation.kind == ActivationKind::gelu) {
    GeluOptions options;
    model::read_fields(config, options);
    activation.kind = gelu_kind(options);
  } else {
    model::read_fields(config, activation);
  }
  return activation;
}

Config Activation::config() const {
  return model::write_fields(activation_kinds.name(kind), *this);
}

std::vector<std::string> Activation::kinds() { return activation_kinds.all(); }

void Activation::check() const { model::check_fields(activation_kinds.name(kind), *this); }

}  // namespace chainrule
