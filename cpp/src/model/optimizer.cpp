// SPDX-License-Identifier: Apache-2.0
#include "chainrule/optimizer.hpp"

#include <vector>

#include "model/fields.hpp"
#include "model/kinds.hpp"

namespace chainrule {
namespace {

using OptimizerKind = Optimizer::Kind;

constexpr auto optimizer_kinds = model::kinds_of<OptimizerKind, OptimizerKind::lion>(
    "optimizer", "sgd", "adagrad", "rmsprop", "adam", "adamw", "adadelta", "lion");

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, Optimizer>
static void visit_fields(Visit& visit, Self& self) {
  visit("learning_rate", self.learning_rate, model::positive);
  switch (self.kind) {
    case OptimizerKind::sgd:
      visit("momentum", self.momentum, model::half_open_fraction);
      visit("dampening", self.dampening, model::fraction);
      visit("nesterov", self.nesterov);
      break;
    case OptimizerKind::adagrad:
      visit("lr_decay", self.lr_decay, model::non_negative);
      visit("initial_accumulator", self.initial_accumulator, model::non_negative);
      visit("epsilon", self.epsilon, model::positive);
      break;
    case OptimizerKind::rmsprop:
      visit("rho", self.rho, model::half_open_fraction);
      visit("epsilon", self.epsilon, model::positive);
      visit("momentum", self.momentum, model::half_open_fraction);
      visit("centered", self.centered);
      break;
    case OptimizerKind::adam:
    case OptimizerKind::adamw:
      visit("beta1", self.beta1, model::half_open_fraction);
      visit("beta2", self.beta2, model::half_open_fraction);
      visit("epsilon", self.epsilon, model::positive);
      visit("amsgrad", self.amsgrad);
      break;
    case OptimizerKind::adadelta:
      visit("rho", self.rho, model::half_open_fraction);
      visit("epsilon", self.epsilon, model::positive);
      break;
    case OptimizerKind::lion:
      visit("beta1", self.beta1, model::half_open_fraction);
      visit("beta2", self.beta2, model::half_open_fraction);
      break;
  }
  visit("weight_decay", self.weight_decay, model::non_negative);
  visit("clip_value", self.clip_value, model::non_negative);
  visit("clip_norm", self.clip_norm, model::non_negative);
  visit("lazy", self.lazy);
}

Optimizer Optimizer::defaults(OptimizerKind kind) {
  Optimizer optimizer;
  optimizer.kind = kind;
  switch (kind) {
    case OptimizerKind::sgd:
      break;
    case OptimizerKind::adagrad:
      optimizer.epsilon = 1e-10;
      break;
    case OptimizerKind::rmsprop:
      optimizer.rho = 0.99;
      break;
    case OptimizerKind::adam:
      optimizer.learning_rate = 1e-3;
      break;
    case OptimizerKind::adamw:
      optimizer.learning_rate = 1e-3;
      optimizer.weight_decay = 1e-2;
      break;
    case OptimizerKind::adadelta:
      optimizer.learning_rate = 1.0;
      optimizer.epsilon = 1e-6;
      break;
    case OptimizerKind::lion:
      optimizer.learning_rate = 1e-4;
      optimizer.beta2 = 0.99;
      break;
  }
  return optimizer;
}

Optimizer Optimizer::from_config(const Config& config) {
  Optimizer optimizer = defaults(optimizer_kinds.find(config.kind));
  model::read_fields(config, optimizer);
  optimizer.check();
  return optimizer;
}

Config Optimizer::config() const {
  Config config = model::write_fields(optimizer_kinds.name(kind), *this);
  // Model files of format 1, which do not know it, stay what they were.
  if (!lazy)
    std::erase_if(config.options, [](const ConfigEntry& option) { return option.name == "lazy"; });
  return config;
}

std::vector<std::string> Optimizer::kinds() { return optimizer_kinds.all(); }

void Optimizer::check() const {
  const std::string_view name = optimizer_kinds.name(kind);
  model::check_fields(name, *this);
  if (kind == OptimizerKind::sgd && nesterov && (momentum == 0.0 || dampening != 0.0))
    model::refuse(name, "nesterov needs momentum > 0 and dampening 0, got momentum " +
                            model::to_text(momentum) + " and dampening " +
                            model::to_text(dampening));
  if (lazy && clip_norm > 0.0)
    model::refuse(name, "lazy needs clip_norm 0, which is the norm of all gradients; got " +
                            model::to_text(clip_norm));
}

std::vector<std::string> Optimizer::slots() const {
  std::vector<std::string> names;
  switch (kind) {
    case OptimizerKind::sgd:
      if (momentum > 0.0) names = {"momentum_buffer"};
      break;
    case OptimizerKind::adagrad:
      names = {"sum"};
      break;
    case OptimizerKind::rmsprop:
      names = {"square_avg"};
      if (momentum > 0.0) names.emplace_back("momentum_buffer");
      if (centered) names.emplace_back("grad_avg");
      break;
    case OptimizerKind::adam:
    case OptimizerKind::adamw:
      names = {"exp_avg", "exp_avg_sq"};
      if (amsgrad) names.emplace_back("max_exp_avg_sq");
      break;
    case OptimizerKind::adadelta:
      names = {"square_avg", "acc_delta"};
      break;
    case OptimizerKind::lion:
      names = {"exp_avg"};
      break;
  }
  return names;
}

bool Optimizer::keeps_squares(std::string_view slot) {
  return slot == "sum" || slot == "square_avg" || slot == "exp_avg_sq" ||
         slot == "max_exp_avg_sq" || slot == "acc_delta";
}

}  // namespace chainrule
