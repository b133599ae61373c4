// SPDX-License-Identifier: Apache-2.0
#include "model_file/training_description.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <variant>

#include "chainrule/error.hpp"
#include "chainrule/names.hpp"
#include "model_file/config_json.hpp"
#include "model_file/names_json.hpp"

namespace chainrule::model_file {
namespace {

/// The last two are of earlier files: the network has them.
constexpr std::array<std::string_view, 11> known_keys = {
    "loss",        "optimizer", "optimizer_state", "schedule_state",    "schedule_origin", "steps",
    "total_steps", "epochs",    "adapted",         feature_keys.object, class_keys.object};

bool is_known(const std::string& name) {
  return std::find(known_keys.begin(), known_keys.end(), name) != known_keys.end();
}

void check_mode(const std::string& mode) {
  if (mode != "min" && mode != "max")
    throw Error(unknown_name("reduce_on_plateau mode", mode, {"min", "max"}));
}

/// Takes an option out of a config, as text; gives `otherwise` when it is not there.
std::string take_text(Config& config, const char* name, std::string otherwise) {
  const auto option = std::find_if(config.options.begin(), config.options.end(),
                                   [&](const ConfigEntry& entry) { return entry.name == name; });
  if (option == config.options.end()) return otherwise;
  const auto* text = std::get_if<std::string>(&option->value);
  if (text == nullptr) throw Error(config.kind + ": " + name + " must be a name");
  std::string taken = *text;
  config.options.erase(option);
  return taken;
}

Schedule read_schedule(Config config, TrainingState& training) {
  if (config.kind == "reduce_on_plateau") {
    training.monitor = take_text(config, "monitor", training.monitor);
    training.mode = take_text(config, "mode", training.mode);
    check_mode(training.mode);
  }
  return Schedule::from_config(config);
}

/// The optimizer, and its schedule where that stands in the place of the learning rate.
void read_optimizer(Config config, TrainingState& training) {
  for (auto option = config.options.begin(); option != config.options.end(); ++option) {
    auto* schedule = std::get_if<Config>(&option->value);
    if (option->name != "learning_rate" || schedule == nullptr) continue;
    training.schedule = read_schedule(std::move(*schedule), training);
    // A schedule may begin at 0, which the optimizer's own rate must not be.
    const double rate = training.schedule->rate(0, 1);
    if (rate > 0.0) {
      option->value = rate;
    } else {
      config.options.erase(option);
    }
    break;
  }
  training.optimizer = Optimizer::from_config(config);
}

Plateau fresh_plateau(const TrainingState& training) {
  Plateau plateau(*training.schedule);
  if (training.mode == "max") plateau.best = -plateau.best;
  return plateau;
}

void check_count(const std::string& name, std::int64_t count, std::int64_t most = most_counted) {
  if (count < 0 || count > most)
    throw Error(name + " must lie in 0.." + std::to_string(most) + ", got " +
                std::to_string(count));
}

void check_plateau(const Plateau& plateau) {
  if (!std::isfinite(plateau.rate) || plateau.rate < 0.0)
    throw Error("the rate of reduce_on_plateau must be finite and >= 0");
  check_count("bad_epochs", plateau.bad_epochs);
  check_count("cooldown_left", plateau.cooldown_left);
}

Plateau read_plateau(const Json& json, const TrainingState& training) {
  Plateau plateau = fresh_plateau(training);
  json.for_each_member("schedule_state", [&](const Json& key, const Json& value) {
    if (value.is_null()) return;
    const std::string_view name = key.text();
    if (name == "\"rate\"") {
      plateau.rate = value.number("rate");
    } else if (name == "\"best\"") {
      plateau.best = value.number("best");
    } else if (name == "\"bad_epochs\"") {
      plateau.bad_epochs = value.integer("bad_epochs");
    } else if (name == "\"cooldown_left\"") {
      plateau.cooldown_left = value.integer("cooldown_left");
    } else {
      throw Error("the state of reduce_on_plateau has rate, best, bad_epochs, cooldown_left; got " +
                  key.excerpt());
    }
  });
  return plateau;
}

void write_plateau(JsonWriter& json, const Plateau& plateau) {
  json.begin_object();
  json.member("rate", plateau.rate);
  json.member("best", plateau.best);
  json.member("bad_epochs", plateau.bad_epochs);
  json.member("cooldown_left", plateau.cooldown_left);
  json.end_object();
}

Config optimizer_config(const TrainingState& training) {
  training.optimizer->check();
  Config config = training.optimizer->config();
  if (!training.schedule) return config;
  training.schedule->check();
  Config schedule = training.schedule->config();
  if (training.schedule->kind == Schedule::Kind::reduce_on_plateau) {
    check_mode(training.mode);
    schedule.options.push_back({"monitor", training.monitor});
    schedule.options.push_back({"mode", training.mode});
  }
  for (ConfigEntry& option : config.options)
    if (option.name == "learning_rate") option.value = schedule;
  return config;
}

bool watches(const TrainingState& training) {
  return training.optimizer && training.schedule &&
         training.schedule->kind == Schedule::Kind::reduce_on_plateau;
}

}  // namespace

void check_training(const TrainingState& training, const Counters& counters) {
  const std::string rule = "training counters must not be negative or too large: ";
  check_count(rule + "total_steps", counters.total_steps);
  check_count(rule + "steps", counters.steps, counters.total_steps);
  check_count(rule + "epochs", counters.epochs);
  check_count("schedule_origin", training.schedule_origin, counters.total_steps);
  if (training.plateau) check_plateau(*training.plateau);
}

Counters read_counters(const Json& json) {
  Counters counters;
  counters.optimizer_state = json.at("optimizer_state").boolean("optimizer_state");
  counters.steps = json.at("steps").integer("steps");
  counters.total_steps = json.at("total_steps").integer("total_steps");
  counters.epochs = json.at("epochs").integer("epochs");
  counters.adapted = json.at("adapted").boolean("adapted");
  return counters;
}

TrainingState read_training(const Json& json) {
  TrainingState training;
  const Json loss = json.at("loss");
  if (!loss.is_null()) training.loss = Loss::from_config(read_config(loss, "a loss"));
  const Json optimizer = json.at("optimizer");
  if (!optimizer.is_null()) read_optimizer(read_config(optimizer, "an optimizer"), training);
  const Json plateau = json.at("schedule_state");
  if (watches(training))
    training.plateau =
        plateau.is_null() ? fresh_plateau(training) : read_plateau(plateau, training);
  training.schedule_origin = json.at("schedule_origin").integer("schedule_origin");
  return training;
}

std::string read_rest(const Json& json) {
  JsonWriter rest;
  rest.begin_object();
  json.for_each_member("the training record", [&](const Json& key, const Json& value) {
    const std::string name = key.string("a key");
    if (is_known(name)) return;
    rest.name(name);
    rest.raw(value.text());
  });
  rest.end_object();
  return rest.take();
}

void write_training(JsonWriter& json, const TrainingState& training, const Counters& counters) {
  json.begin_object();
  json.name("loss");
  if (training.loss) {
    training.loss->check();
    write_config(json, training.loss->config());
  } else {
    json.null();
  }
  json.name("optimizer");
  if (training.optimizer) {
    write_config(json, optimizer_config(training));
  } else {
    json.null();
  }
  json.member("optimizer_state", counters.optimizer_state);
  json.name("schedule_state");
  if (watches(training)) {
    write_plateau(json, training.plateau ? *training.plateau : fresh_plateau(training));
  } else {
    json.null();
  }
  json.member("schedule_origin", training.schedule_origin);
  json.member("steps", counters.steps);
  json.member("total_steps", counters.total_steps);
  json.member("epochs", counters.epochs);
  json.member("adapted", counters.adapted);
  Json::parse(training.rest).for_each_member("rest", [&](const Json& key, const Json& value) {
    const std::string name = key.string("a key");
    if (is_known(name)) throw Error("rest must not hold '" + name + "', which has a field");
    json.name(name);
    json.raw(value.text());
  });
  json.end_object();
}

}  // namespace chainrule::model_file
