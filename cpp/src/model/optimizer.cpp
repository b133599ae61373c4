// SPDX-License-Identifier: Apache-2.0
#include "chainrule/optimizer.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "model/fields.hpp"
#include "model/kinds.hpp"
#include "model/optimizer_options.hpp"
#include "model/step_schedule.hpp"

namespace chainrule {
namespace {

template <class... All>
constexpr auto optimizer_names(OptimizerTable<All...>) {
  return model::kinds_of<OptimizerKind, static_cast<OptimizerKind>(sizeof...(All) - 1)>(
      "optimizer", All::row.name...);
}

constexpr auto optimizer_kinds = optimizer_names(Optimizers());

constexpr bool is_in_order_of_kinds() {
  for (int i = 0; i < Optimizers::size; ++i)
    if (static_cast<int>(Optimizers::rows[i].kind) != i) return false;
  return true;
}
static_assert(is_in_order_of_kinds(), "Optimizers and OptimizerKind differ in their order");

constexpr const model::Range& range_of_option(OptionRange range) {
  switch (range) {
    case OptionRange::positive:
      return model::positive;
    case OptionRange::non_negative:
      return model::non_negative;
    case OptionRange::fraction:
      return model::fraction;
    case OptionRange::half_open_fraction:
      break;
  }
  return model::half_open_fraction;
}

template <class... All>
Optimizer default_optimizer(OptimizerKind kind, OptimizerTable<All...>) {
  Optimizer made;
  (void)((All::row.kind == kind && (made = All(), true)) || ...);
  return made;
}

template <class... All>
bool any_slot_keeps_squares(std::string_view name, OptimizerTable<All...>) {
  const auto found = [&](const OptimizerSlots& slots) {
    return std::any_of(std::begin(slots.list), std::end(slots.list), [&](const auto& slot) {
      return slot.name != nullptr && slot.name == name && slot.holds_squares;
    });
  };
  return (found(All().slots()) || ...);
}

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, Optimizer>
static void visit_fields(Visit& visit, Self& self) {
  model::with_options(self, [&](auto& options) {
    visit("learning_rate", options.learning_rate, model::positive);
    const auto visit_option = [&](const char* name, auto& option, auto... range) {
      visit(name, option, range_of_option(range)...);
    };
    options.visit_options(visit_option, options);
    visit("weight_decay", options.weight_decay, model::non_negative);
  });
  visit("clip_value", self.clip_value, model::non_negative);
  visit("clip_norm", self.clip_norm, model::non_negative);
  visit("lazy", self.lazy);
  visit("weight_decay_schedule", self.weight_decay_schedule);
}

Optimizer Optimizer::defaults(Kind kind) {
  optimizer_kinds.name(kind);  // throws Error for one that is none
  return default_optimizer(kind, Optimizers());
}

Optimizer Optimizer::from_config(const Config& config) {
  Optimizer optimizer = defaults(optimizer_kinds.find(config.kind));
  model::read_fields(config, optimizer);
  optimizer.check();
  return optimizer;
}

Config Optimizer::config() const {
  Config config = model::write_fields(optimizer_kinds.name(kind()), *this);
  // Model files of format 1, which do not know them, stay what they were.
  std::erase_if(config.options, [](const ConfigEntry& option) {
    return (option.name == "lazy" || option.name == "epsilon_hat") &&
           option.value == ConfigValue(false);
  });
  return config;
}

std::vector<std::string> Optimizer::kinds() { return optimizer_kinds.all(); }

const OptimizerRow& Optimizer::row() const { return Optimizers::rows[static_cast<int>(kind_)]; }

double Optimizer::learning_rate() const {
  double rate = 0.0;
  model::with_options(*this, [&](const auto& options) { rate = options.learning_rate; });
  return rate;
}

void Optimizer::set_learning_rate(double rate) {
  model::with_options(*this, [&](auto& options) { options.learning_rate = rate; });
}

double Optimizer::weight_decay() const {
  double decay = 0.0;
  model::with_options(*this, [&](const auto& options) { decay = options.weight_decay; });
  return decay;
}

void Optimizer::set_weight_decay(double decay) {
  model::with_options(*this, [&](auto& options) { options.weight_decay = decay; });
}

void Optimizer::check() const {
  const std::string_view name = row().name;
  model::check_fields(name, *this);
  if (kind() == Kind::sgd) {
    const auto& sgd = get<Sgd>();
    if (sgd.nesterov && (sgd.momentum == 0.0 || sgd.dampening != 0.0))
      model::refuse(name, "nesterov needs momentum > 0 and dampening 0, got momentum " +
                              model::to_text(sgd.momentum) + " and dampening " +
                              model::to_text(sgd.dampening));
  }
  if (weight_decay_schedule)
    model::check_step_schedule(name, "weight_decay_schedule", *weight_decay_schedule);
  if (lazy && clip_norm > 0.0)
    model::refuse(name, "lazy needs clip_norm 0, which is the norm of all gradients; got " +
                            model::to_text(clip_norm));
  if (lazy && row().needs_whole_gradient)
    model::refuse(name, "lazy must be false, since a step needs whole gradients");
}

std::vector<std::string> Optimizer::slots() const {
  std::vector<std::string> names;
  model::for_each_slot(*this, [&](const OptimizerSlot& slot) { names.emplace_back(slot.name); });
  return names;
}

bool Optimizer::keeps_squares(std::string_view slot) {
  return any_slot_keeps_squares(slot, Optimizers());
}

bool Optimizer::operator==(const Optimizer& other) const {
  if (kind() != other.kind() || !GradientOptions::operator==(other)) return false;
  bool equal = false;
  model::with_options(*this, [&]<class Options>(const Options& options) {
    equal = options == other.get<Options>();
  });
  return equal;
}

void Optimizer::throw_not(Kind kind) const {
  throw Error("the optimizer is of kind " + std::string(row().name) + ", not " +
              Optimizers::rows[static_cast<int>(kind)].name);
}

}  // namespace chainrule
