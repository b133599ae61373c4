// SPDX-License-Identifier: Apache-2.0
#include "chainrule/loss.hpp"

#include "chainrule/config.hpp"
#include "model/fields.hpp"
#include "model/kinds.hpp"

namespace chainrule {
namespace {

constexpr auto loss_kinds = model::kinds_of<LossKind, LossKind::poisson>(
    "loss", "mse", "mae", "huber", "log_cosh", "cross_entropy", "binary_cross_entropy", "hinge",
    "quantile", "poisson");

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, Loss>
static void visit_fields(Visit& visit, Self& self) {
  if (self.kind == LossKind::huber) visit("delta", self.delta, model::positive);
  if (self.kind == LossKind::cross_entropy)
    visit("label_smoothing", self.label_smoothing, model::half_open_fraction);
  if (self.kind == LossKind::cross_entropy || self.kind == LossKind::binary_cross_entropy ||
      self.kind == LossKind::poisson)
    visit("from_logits", self.from_logits);
  if (self.kind == LossKind::quantile) visit("quantiles", self.quantiles, model::open_fraction);
}

Loss Loss::defaults(LossKind kind) {
  Loss loss;
  loss.kind = kind;
  if (kind == LossKind::quantile) loss.quantiles = {0.5};
  return loss;
}

Loss Loss::from_config(const Config& config) {
  Loss loss = defaults(loss_kinds.find(config.kind));
  model::read_fields(config, loss);
  loss.check();
  return loss;
}

Config Loss::config() const {
  Config config = model::write_fields(loss_kinds.name(kind), *this);
  // Files without it stay readable for versions that do not know it.
  if (!from_logits)
    std::erase_if(config.options,
                  [](const ConfigEntry& option) { return option.name == "from_logits"; });
  return config;
}

std::vector<std::string> Loss::kinds() { return loss_kinds.all(); }

void Loss::check() const {
  const std::string_view name = loss_kinds.name(kind);
  model::check_fields(name, *this);
  if (kind != LossKind::quantile) return;
  if (quantiles.empty()) model::refuse(name, "quantiles must hold at least one number, got none");
  for (std::size_t i = 1; i < quantiles.size(); ++i)
    if (quantiles[i] <= quantiles[i - 1])
      model::refuse(name, "quantiles must be strictly increasing, got " +
                              model::to_text(quantiles[i - 1]) + " before " +
                              model::to_text(quantiles[i]));
}

Loss::Link Loss::link() const {
  switch (kind) {
    case LossKind::cross_entropy:
      return Link::softmax;
    case LossKind::binary_cross_entropy:
      return Link::sigmoid;
    case LossKind::poisson:
      return Link::exponential;
    default:
      return Link::identity;
  }
}

std::int64_t Loss::target_columns(std::int64_t outputs) const {
  check();
  const std::string_view name = loss_kinds.name(kind);
  model::check_value(name, "outputs", outputs, model::at_least_one);
  if (kind == LossKind::cross_entropy && outputs < 2)
    model::refuse(name, "needs at least 2 outputs, one per class, got 1; use binary_cross_entropy");
  if (kind != LossKind::quantile) return outputs;
  const auto groups = static_cast<std::int64_t>(quantiles.size());
  if (outputs % groups != 0)
    model::refuse(name, "the number of outputs must be a multiple of the " +
                            std::to_string(groups) + " quantiles, got " + std::to_string(outputs));
  return outputs / groups;
}

}  // namespace chainrule
