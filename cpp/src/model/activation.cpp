// SPDX-License-Identifier: Apache-2.0
#include "chainrule/activation.hpp"

#include <limits>

#include "model/activation_row.hpp"
#include "model/fields.hpp"
#include "model/kinds.hpp"

namespace chainrule {
namespace {

#define CHAINRULE_ROW(kind, ...) #kind,
constexpr std::array activation_names{CHAINRULE_ACTIVATIONS(CHAINRULE_ROW)};
#undef CHAINRULE_ROW
constexpr model::Kinds<ActivationKind, activation_names.size()> activation_kinds("activation",
                                                                                 activation_names);

/// Options of "gelu", which choose between two kinds and so are none of Activation's.
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

class NumberCollector {
 public:
  void operator()(const char*, double value, const model::Range& = model::finite) {
    numbers.at(count_++) = value;
  }

  std::array<double, 2> numbers{};

 private:
  std::size_t count_ = 0;
};

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, Activation::NoOptions>
static void visit_fields(Visit&, Self&) {}

template <class Visit, class Self>
  requires model::described_as<Self, Activation::LeakyRelu>
static void visit_fields(Visit& visit, Self& self) {
  visit("negative_slope", self.negative_slope, model::non_negative);
}

template <class Visit, class Self>
  requires model::described_as<Self, Activation::Elu>
static void visit_fields(Visit& visit, Self& self) {
  visit("alpha", self.alpha, model::non_negative);
}

template <class Visit, class Self>
  requires model::described_as<Self, Activation::HardSigmoid>
static void visit_fields(Visit& visit, Self& self) {
  visit("alpha", self.alpha, model::positive);
  visit("beta", self.beta);
}

template <class Visit, class Self>
  requires model::described_as<Self, Activation>
static void visit_fields(Visit& visit, Self& self) {
  self.options.visit([&](auto& options) { visit_fields(visit, options); });
}

Activation Activation::defaults(Kind kind) {
#define CHAINRULE_ROW(row_kind, Kernel, RowOptions, ...) Options{RowOptions{}},
  const std::array all{CHAINRULE_ACTIVATIONS(CHAINRULE_ROW)};
#undef CHAINRULE_ROW
  const auto index = static_cast<std::size_t>(kind);
  return {kind, index < all.size() ? all[index] : Options{}};
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

void Activation::check() const {
  const std::string_view name = activation_kinds.name(kind);
  if (options.index() != defaults(kind).options.index())
    model::refuse(name, "its options are those of another activation");
  model::check_fields(name, *this);
}

namespace model {

Initializer::Kind initializer_before(Activation::Kind kind) {
#define CHAINRULE_ROW(row_kind, Kernel, Options, initializer, ...) Initializer::Kind::initializer,
  constexpr std::array all{CHAINRULE_ACTIVATIONS(CHAINRULE_ROW)};
#undef CHAINRULE_ROW
  const auto index = static_cast<std::size_t>(kind);
  return index < all.size() ? all[index] : Initializer::Kind::glorot_uniform;
}

namespace {

/// The options, or the defaults where they are another kind's.
template <class Options>
Options options_of(const Activation& activation) {
  const auto* options = activation.options.template get_if<Options>();
  return options ? *options : Options{};
}

}  // namespace

OutputRange output_range(const Activation& activation) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  switch (activation.kind) {
#define CHAINRULE_ROW(row_kind, Kernel, Options, initializer, low, high)         \
  case ActivationKind::row_kind: {                                               \
    [[maybe_unused]] const auto o = options_of<Activation::Options>(activation); \
    return {low, high};                                                          \
  }
    CHAINRULE_ACTIVATIONS(CHAINRULE_ROW)
#undef CHAINRULE_ROW
    default:
      return {-infinity, infinity};
  }
}

std::array<double, 2> kernel_parameters(const Activation& activation) {
  NumberCollector collector;
  visit_fields(collector, activation);
  return collector.numbers;
}

}  // namespace model
}  // namespace chainrule
