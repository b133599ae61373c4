// SPDX-License-Identifier: Apache-2.0
#include "chainrule/early_stopping.hpp"

#include <cmath>

#include "model/fields.hpp"
#include "model/kinds.hpp"

namespace chainrule {
namespace {

constexpr const char* kEarlyStopping = "early_stopping";

constexpr auto stopping_modes =
    model::kinds_of<EarlyStopping::Mode, EarlyStopping::Mode::max>("mode", "auto", "min", "max");

/// The options as a config holds them: the mode by its name.
struct StoppingOptions {
  std::string monitor;
  double min_delta;
  std::int64_t patience;
  std::string mode;
  bool restore_best_weights;
};

template <class Visit, class Self>
  requires model::described_as<Self, StoppingOptions>
void visit_fields(Visit& visit, Self& self) {
  visit("monitor", self.monitor);
  visit("min_delta", self.min_delta, model::non_negative);
  visit("patience", self.patience, model::non_negative);
  visit("mode", self.mode);
  visit("restore_best_weights", self.restore_best_weights);
}

StoppingOptions options_of(const EarlyStopping& rule) {
  return {rule.monitor, rule.min_delta, rule.patience, std::string(stopping_modes.name(rule.mode)),
          rule.restore_best_weights};
}

}  // namespace

EarlyStopping EarlyStopping::from_config(const Config& config) {
  if (config.kind != kEarlyStopping)
    throw Error("expected early stopping by {\"kind\": \"early_stopping\", ...}, got kind '" +
                config.kind + "'");
  StoppingOptions options = options_of({});
  model::read_fields(config, options);
  const Mode mode =
      model::within(kEarlyStopping, "mode", [&] { return stopping_modes.find(options.mode); });
  EarlyStopping rule{options.monitor, options.min_delta, options.patience, mode,
                     options.restore_best_weights};
  rule.check();
  return rule;
}

Config EarlyStopping::config() const {
  return model::write_fields(kEarlyStopping, options_of(*this));
}

void EarlyStopping::check() const {
  model::check_value(kEarlyStopping, "min_delta", min_delta, model::non_negative);
  model::check_value(kEarlyStopping, "patience", patience, model::non_negative);
}

bool EarlyStoppingMemory::observe(const EarlyStopping& rule, std::int64_t epoch, double value) {
  const double gain = rule.mode == EarlyStopping::Mode::max ? value - best : best - value;
  if (best_epoch == 0 ? !std::isnan(value) : gain > rule.min_delta) {
    best = value;
    best_epoch = epoch;
    waited = 0;
    return true;
  }
  ++waited;
  if (waited >= rule.patience) stopped_epoch = epoch;
  return false;
}

}  // namespace chainrule
