// SPDX-License-Identifier: Apache-2.0
#include "chainrule/initializer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "chainrule/random.hpp"
#include "model/activation_row.hpp"
#include "model/fields.hpp"
#include "model/kinds.hpp"
#include "model/orthogonal.hpp"

namespace chainrule {
namespace {

using InitializerKind = Initializer::Kind;

#define CHAINRULE_ROW(kind, ...) #kind,
constexpr std::array initializer_names{CHAINRULE_INITIALIZERS(CHAINRULE_ROW)};
#undef CHAINRULE_ROW
constexpr model::Kinds<InitializerKind, initializer_names.size()> initializer_kinds(
    "initializer", initializer_names);

/// The variance that keeps signals (and with glorot, gradients) of one size from layer to layer.
double scaled_variance(InitializerKind kind, double fan_in, double fan_out) {
  switch (kind) {
    case InitializerKind::glorot_uniform:
    case InitializerKind::glorot_normal:
      return 2.0 / (fan_in + fan_out);
    case InitializerKind::he_uniform:
    case InitializerKind::he_normal:
      return 2.0 / fan_in;
    default:
      return 1.0 / fan_in;
  }
}

void fill_uniform(double* values, std::int64_t count, double low, double high,
                  RandomStream& random) {
  for (std::int64_t i = 0; i < count; ++i) values[i] = low + (high - low) * random.next_uniform();
}

void fill_normal(double* values, std::int64_t count, double mean, double standard_deviation,
                 RandomStream& random) {
  for (std::int64_t i = 0; i < count; ++i)
    values[i] = mean + standard_deviation * random.next_normal();
}

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, Initializer::NoOptions>
static void visit_fields(Visit&, Self&) {}

template <class Visit, class Self>
  requires model::described_as<Self, Initializer::Constant>
static void visit_fields(Visit& visit, Self& self) {
  visit("value", self.value);
}

template <class Visit, class Self>
  requires model::described_as<Self, Initializer::Normal>
static void visit_fields(Visit& visit, Self& self) {
  visit("mean", self.mean);
  visit("standard_deviation", self.standard_deviation, model::non_negative);
}

template <class Visit, class Self>
  requires model::described_as<Self, Initializer::Uniform>
static void visit_fields(Visit& visit, Self& self) {
  visit("low", self.low);
  visit("high", self.high);
}

template <class Visit, class Self>
  requires model::described_as<Self, Initializer::Orthogonal>
static void visit_fields(Visit& visit, Self& self) {
  visit("gain", self.gain);
}

template <class Visit, class Self>
  requires model::described_as<Self, Initializer>
static void visit_fields(Visit& visit, Self& self) {
  self.options.visit([&](auto& options) { visit_fields(visit, options); });
}

Initializer Initializer::defaults(Kind kind) {
#define CHAINRULE_ROW(row_kind, RowOptions) Options{RowOptions{}},
  const std::array all{CHAINRULE_INITIALIZERS(CHAINRULE_ROW)};
#undef CHAINRULE_ROW
  const auto index = static_cast<std::size_t>(kind);
  return {kind, index < all.size() ? all[index] : Options{}};
}

Initializer Initializer::from_config(const Config& config) {
  Initializer initializer = defaults(initializer_kinds.find(config.kind));
  model::read_fields(config, initializer);
  initializer.check();
  return initializer;
}

Config Initializer::config() const {
  return model::write_fields(initializer_kinds.name(kind), *this);
}

std::vector<std::string> Initializer::kinds() { return initializer_kinds.all(); }

Initializer Initializer::for_activation(const Activation& activation) {
  return defaults(model::initializer_before(activation.kind));
}

void Initializer::check() const {
  const std::string_view name = initializer_kinds.name(kind);
  if (options.index() != defaults(kind).options.index())
    model::refuse(name, "its options are those of another initializer");
  model::check_fields(name, *this);
  const auto* uniform = options.get_if<Uniform>();
  if (uniform && uniform->low > uniform->high)
    model::refuse(name, "low must be <= high, got low " + model::to_text(uniform->low) +
                            " and high " + model::to_text(uniform->high));
}

void Initializer::fill(double* values, std::int64_t rows, std::int64_t columns, std::uint64_t seed,
                       std::uint64_t stream, std::int64_t fan_out) const {
  check();
  const std::string_view name = initializer_kinds.name(kind);
  model::check_value(name, "rows", rows, model::at_least_one);
  model::check_value(name, "columns", columns, model::at_least_one);
  const std::int64_t count = rows * columns;
  const double variance = scaled_variance(kind, static_cast<double>(rows),
                                          static_cast<double>(fan_out > 0 ? fan_out : columns));
  RandomStream random(seed, RandomUse::initialization, stream);
  switch (kind) {
    case InitializerKind::zeros:
      std::fill_n(values, count, 0.0);
      break;
    case InitializerKind::constant:
      std::fill_n(values, count, options.get_if<Constant>()->value);
      break;
    case InitializerKind::uniform: {
      const auto& [low, high] = *options.get_if<Uniform>();
      fill_uniform(values, count, low, high, random);
      break;
    }
    case InitializerKind::normal: {
      const auto& [mean, standard_deviation] = *options.get_if<Normal>();
      fill_normal(values, count, mean, standard_deviation, random);
      break;
    }
    case InitializerKind::glorot_uniform:
    case InitializerKind::he_uniform:
    case InitializerKind::lecun_uniform: {
      const double bound = std::sqrt(3.0 * variance);
      fill_uniform(values, count, -bound, bound, random);
      break;
    }
    case InitializerKind::glorot_normal:
    case InitializerKind::he_normal:
    case InitializerKind::lecun_normal:
      fill_normal(values, count, 0.0, std::sqrt(variance), random);
      break;
    case InitializerKind::orthogonal:
      model::fill_orthogonal(values, rows, columns, options.get_if<Orthogonal>()->gain, random);
      break;
  }
}

}  // namespace chainrule
