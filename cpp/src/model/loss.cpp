// SPDX-License-Identifier: Apache-2.0
#include "chainrule/loss.hpp"

#include "chainrule/config.hpp"
#include "model/fields.hpp"
#include "model/kinds.hpp"

namespace chainrule {
namespace {

#define CHAINRULE_ROW(kind, ...) #kind,
constexpr std::array loss_names{CHAINRULE_LOSSES(CHAINRULE_ROW)};
#undef CHAINRULE_ROW
constexpr model::Kinds<LossKind, loss_names.size()> loss_kinds("loss", loss_names);

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, Loss::NoOptions>
static void visit_fields(Visit&, Self&) {}

template <class Visit, class Self>
  requires model::described_as<Self, CustomLoss>
static void visit_fields(Visit&, Self&) {}

template <class Visit, class Self>
  requires model::described_as<Self, Loss::Huber>
static void visit_fields(Visit& visit, Self& self) {
  visit("delta", self.delta, model::positive);
}

template <class Visit, class Self>
  requires model::described_as<Self, Loss::CrossEntropy>
static void visit_fields(Visit& visit, Self& self) {
  visit("label_smoothing", self.label_smoothing, model::half_open_fraction);
  visit("from_logits", self.from_logits);
}

template <class Visit, class Self>
  requires model::described_as<Self, Loss::BinaryCrossEntropy> ||
           model::described_as<Self, Loss::Poisson>
static void visit_fields(Visit& visit, Self& self) {
  visit("from_logits", self.from_logits);
}

template <class Visit, class Self>
  requires model::described_as<Self, Loss::Quantile>
static void visit_fields(Visit& visit, Self& self) {
  visit("quantiles", self.quantiles, model::open_fraction);
}

template <class Visit, class Self>
  requires model::described_as<Self, Loss>
static void visit_fields(Visit& visit, Self& self) {
  self.options.visit([&](auto& options) { visit_fields(visit, options); });
}

Loss Loss::defaults(Kind kind) {
#define CHAINRULE_ROW(row_kind, Kernel, RowOptions, ...) Options{RowOptions{}},
  const std::array all{CHAINRULE_LOSSES(CHAINRULE_ROW)};
#undef CHAINRULE_ROW
  const auto index = static_cast<std::size_t>(kind);
  return {kind, index < all.size() ? all[index] : Options{}};
}

bool Loss::from_logits() const {
  bool result = false;
  options.visit([&](const auto& given) {
    if constexpr (requires { given.from_logits; }) result = given.from_logits;
  });
  return result;
}

Loss Loss::from_config(const Config& config) {
  Loss loss = defaults(loss_kinds.find(config.kind));
  model::read_fields(config, loss);
  loss.check();
  return loss;
}

Config Loss::config() const {
  if (const auto* function = options.get_if<CustomLoss>())
    return {"custom", {{"name", function->name()}}};
  Config config = model::write_fields(loss_kinds.name(kind), *this);
  // Files without it stay readable for versions that do not know it.
  if (!from_logits())
    std::erase_if(config.options,
                  [](const ConfigEntry& option) { return option.name == "from_logits"; });
  return config;
}

std::vector<std::string> Loss::kinds() { return loss_kinds.all(); }

void Loss::check() const {
  if (is_custom()) {
    const auto* function = options.get_if<CustomLoss>();
    if (!function || !*function) model::refuse("custom", "the loss has no function");
    return;
  }
  const std::string_view name = loss_kinds.name(kind);
  // Found once: the defaults of all losses allocate, and an online step checks its loss.
  static const auto option_indices = [] {
    std::array<std::size_t, loss_names.size()> indices{};
    for (std::size_t i = 0; i < indices.size(); ++i)
      indices[i] = defaults(static_cast<Kind>(i)).options.index();
    return indices;
  }();
  if (options.index() != option_indices[static_cast<std::size_t>(kind)])
    model::refuse(name, "its options are those of another loss");
  model::check_fields(name, *this);
  if (kind != LossKind::quantile) return;
  const std::vector<double>& quantiles = options.get_if<Quantile>()->quantiles;
  if (quantiles.empty()) model::refuse(name, "quantiles must hold at least one number, got none");
  for (std::size_t i = 1; i < quantiles.size(); ++i)
    if (quantiles[i] <= quantiles[i - 1])
      model::refuse(name, "quantiles must be strictly increasing, got " +
                              model::to_text(quantiles[i - 1]) + " before " +
                              model::to_text(quantiles[i]));
}

Loss::Link Loss::link() const {
#define CHAINRULE_ROW(row_kind, Kernel, Options, row_link) Link::row_link,
  constexpr std::array all{CHAINRULE_LOSSES(CHAINRULE_ROW)};
#undef CHAINRULE_ROW
  const auto index = static_cast<std::size_t>(kind);
  return index < all.size() ? all[index] : Link::identity;
}

std::int64_t Loss::target_columns(std::int64_t outputs) const {
  check();
  if (is_custom()) return outputs;
  const std::string_view name = loss_kinds.name(kind);
  model::check_value(name, "outputs", outputs, model::at_least_one);
  if (kind == LossKind::cross_entropy && outputs < 2)
    model::refuse(name, "needs at least 2 outputs, one per class, got 1; use binary_cross_entropy");
  if (kind != LossKind::quantile) return outputs;
  const auto groups = static_cast<std::int64_t>(options.get_if<Quantile>()->quantiles.size());
  if (outputs % groups != 0)
    model::refuse(name, "the number of outputs must be a multiple of the " +
                            std::to_string(groups) + " quantiles, got " + std::to_string(outputs));
  return outputs / groups;
}

std::int64_t Loss::target_columns(const Shape& outputs) const {
  return outputs.positions() * target_columns(outputs.columns());
}

}  // namespace chainrule
