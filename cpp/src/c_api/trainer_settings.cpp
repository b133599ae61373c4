// SPDX-License-Identifier: Apache-2.0
// What a trainer has been set to, and what it remembers.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "c_api/options.hpp"
#include "c_api/status.hpp"
#include "c_api/trainer.hpp"
#include "chainrule/config.hpp"

namespace chainrule::c_api {

std::string text_of(const Losses& losses) {
  if (losses.size() == 1) return to_json(losses[0].config());
  std::vector<Config> configs;
  for (std::size_t i = 0; i < losses.size(); ++i) configs.push_back(losses[i].config());
  return to_json(configs);
}

std::string text_of(const std::optional<Schedule>& schedule) {
  return schedule ? to_json(schedule->config()) : std::string();
}

std::vector<Loss> chosen_losses(const TrainingState& training, const char* given,
                                std::size_t outputs) {
  std::vector<Loss> losses;
  if (given == nullptr) {
    if (!training.loss)
      throw Error("options.loss is NULL, and the network is from no file with one");
    losses.assign(outputs, *training.loss);
    return losses;
  }
  const std::string_view json = given;
  if (const std::size_t first = json.find_first_not_of(" \t\r\n");
      first != std::string_view::npos && json[first] == '[') {
    for (const Config& config : configs_from_json(json))
      losses.push_back(Loss::from_config(config));
    return losses;
  }
  losses.assign(outputs, Loss::from_config(config_from_json(json)));
  return losses;
}

std::vector<double> weights_of(const double* given, std::size_t losses) {
  return given == nullptr ? std::vector<double>() : std::vector<double>(given, given + losses);
}

}  // namespace chainrule::c_api

using namespace chainrule;
using namespace chainrule::c_api;

chainrule_status chainrule_trainer_set_optimizer(chainrule_trainer* trainer, const char* optimizer,
                                                 const char* schedule) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    const Optimizer chosen = Optimizer::from_config(config_from_json(text(optimizer, "optimizer")));
    std::optional<Schedule> follows;
    if (schedule != nullptr) follows = Schedule::from_config(config_from_json(schedule));
    std::string optimizer_text = to_json(chosen.config());
    std::string schedule_text = text_of(follows);
    std::visit([&](auto& t) { t.set_optimizer(chosen, follows); }, (*call).trainer);
    (*call).texts.optimizer.swap(optimizer_text);
    (*call).texts.schedule.swap(schedule_text);
  });
}

chainrule_status chainrule_trainer_set_losses(chainrule_trainer* trainer, const char* loss,
                                              const double* loss_weights) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    require_non_null(loss, "loss");
    const std::vector<Loss> each = chosen_losses({}, loss, graph_of(*call).outputs().size());
    const std::vector<double> weights = weights_of(loss_weights, each.size());
    const Losses losses(each, weights);
    std::string its_text = text_of(losses);
    std::visit([&](auto& t) { t.set_losses(losses); }, (*call).trainer);
    (*call).texts.losses.swap(its_text);
  });
}

chainrule_status chainrule_trainer_get_losses(const chainrule_trainer* trainer,
                                              const char** losses) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    require_non_null(losses, "the result's pointer");
    *losses = (*call).texts.losses.c_str();
  });
}

chainrule_status chainrule_trainer_get_loss_weights(const chainrule_trainer* trainer,
                                                    double* loss_weights, int64_t count) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    require_non_null(loss_weights, "loss_weights");
    const Losses losses = std::visit([](const auto& t) { return t.losses(); }, (*call).trainer);
    if (count != static_cast<std::int64_t>(losses.size()))
      throw Error("count is " + std::to_string(count) + "; the trainer has " +
                  std::to_string(losses.size()) + " losses");
    for (std::size_t i = 0; i < losses.size(); ++i) loss_weights[i] = losses.weight(i);
  });
}

chainrule_status chainrule_trainer_get_optimizer(const chainrule_trainer* trainer,
                                                 const char** optimizer) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    require_non_null(optimizer, "the result's pointer");
    *optimizer = (*call).texts.optimizer.c_str();
  });
}

chainrule_status chainrule_trainer_get_schedule(const chainrule_trainer* trainer,
                                                const char** schedule) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    require_non_null(schedule, "the result's pointer");
    const std::string& its_text = (*call).texts.schedule;
    *schedule = its_text.empty() ? nullptr : its_text.c_str();
  });
}

chainrule_status chainrule_trainer_get_early_stopping(const chainrule_trainer* trainer,
                                                      chainrule_early_stopping_info* info) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    check_structure(info, "info");
    const EarlyStoppingMemory memory =
        std::visit([](const auto& t) { return t.early_stopping(); }, (*call).trainer);
    chainrule_early_stopping_info values{};
    values.best = memory.best;
    values.best_epoch = memory.best_epoch;
    values.waited = memory.waited;
    values.stopped_epoch = memory.stopped_epoch;
    write_structure(values, info);
  });
}

chainrule_status chainrule_trainer_get_plateau(const chainrule_trainer* trainer,
                                               chainrule_plateau* plateau) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    check_structure(plateau, "plateau");
    const std::optional<Plateau> known =
        std::visit([](const auto& t) { return t.plateau(); }, (*call).trainer);
    if (!known) throw Error("the trainer has no reduce_on_plateau schedule");
    chainrule_plateau values{};
    values.rate = known->rate;
    values.best = known->best;
    values.bad_epochs = known->bad_epochs;
    values.cooldown_left = known->cooldown_left;
    write_structure(values, plateau);
  });
}

chainrule_status chainrule_trainer_set_plateau(chainrule_trainer* trainer,
                                               const chainrule_plateau* plateau) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    const chainrule_plateau given = read_structure(plateau, "plateau");
    if (!std::isfinite(given.rate) || given.rate < 0.0)
      throw Error("plateau.rate is " + std::to_string(given.rate) + ", expected 0 or more");
    if (std::isnan(given.best)) throw Error("plateau.best is NaN, expected a number");
    for (const auto& [count, name] : {std::pair(given.bad_epochs, "bad_epochs"),
                                      std::pair(given.cooldown_left, "cooldown_left")})
      if (count < 0)
        throw Error("plateau." + std::string(name) + " is " + std::to_string(count) +
                    ", expected 0 or more");
    Plateau its{Schedule{}};
    its.rate = given.rate;
    its.best = given.best;
    its.bad_epochs = given.bad_epochs;
    its.cooldown_left = given.cooldown_left;
    std::visit([&](auto& t) { t.set_plateau(its); }, (*call).trainer);
  });
}

chainrule_status chainrule_trainer_set_monitor(chainrule_trainer* trainer, const char* monitor,
                                               int64_t rises) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    const std::string name(text(monitor, "monitor"));
    std::visit([&](auto& t) { t.set_monitor(name, rises != 0); }, (*call).trainer);
  });
}

chainrule_status chainrule_trainer_get_monitor(const chainrule_trainer* trainer,
                                               const char** monitor, int64_t* rises) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    require_non_null(monitor, "the result's pointer");
    std::visit(
        [&](const auto& t) {
          *monitor = t.monitor().c_str();
          if (rises != nullptr) *rises = t.monitor_rises() ? 1 : 0;
        },
        (*call).trainer);
  });
}

chainrule_status chainrule_trainer_get_schedule_origin(const chainrule_trainer* trainer,
                                                       int64_t* step) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    require_non_null(step, "the result's pointer");
    *step = std::visit([](const auto& t) { return t.schedule_origin(); }, (*call).trainer);
  });
}

chainrule_status chainrule_trainer_set_schedule_origin(chainrule_trainer* trainer, int64_t step) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    std::visit([&](auto& t) { t.set_schedule_origin(step); }, (*call).trainer);
  });
}
