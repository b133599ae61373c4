// SPDX-License-Identifier: Apache-2.0
#include "model_file/config_json.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "chainrule/error.hpp"

namespace chainrule::model_file {
namespace {

// A number of a list takes two bytes of text and eight of memory.
constexpr std::size_t longest_list = 10'000;
constexpr std::size_t most_options = 64;
constexpr std::size_t longest_option_name = 256;

void check_list(std::string_view name, std::size_t size) {
  if (size > longest_list)
    throw Error(std::string(name) + " has " + std::to_string(size) +
                " numbers; a model file holds at most " + std::to_string(longest_list));
}

std::string short_string(const Json& json, std::string_view what) {
  if (json.text().size() > longest_option_name)
    throw Error(std::string(what) + " must be text of at most " +
                std::to_string(longest_option_name) + " bytes, got " + json.excerpt());
  return json.string(what);
}

std::vector<double> read_list(const Json& json, const std::string& name) {
  std::size_t size = 0;
  json.for_each_element(name, [&](const Json&) { ++size; });
  check_list(name, size);
  std::vector<double> numbers;
  numbers.reserve(size);
  json.for_each_element(
      name, [&](const Json& item) { numbers.push_back(item.number("an entry of " + name)); });
  return numbers;
}

/// Numbers by name.
Config read_table(const Json& json, const std::string& what) {
  Config table;
  json.for_each_member(what, [&](const Json& key, const Json& value) {
    const std::string name = short_string(key, "a name");
    if (table.options.size() == most_options)
      throw Error(what + " has more than " + std::to_string(most_options) + " entries");
    table.options.push_back({name, value.number(what + "['" + name + "']")});
  });
  return table;
}

/// Recursion is as deep as Json::max_depth lets it be.
ConfigValue read_value(const Json& json, const std::string& name) {
  if (json.is_boolean()) return json.boolean(name);
  if (json.is_string()) return short_string(json, name);
  if (json.is_integer()) return json.integer(name);
  if (json.is_number()) return json.number(name);
  if (json.is_array()) return read_list(json, name);
  return json.find("kind") ? read_config(json, name) : read_table(json, name);
}

}  // namespace

/// Recursion is as deep as Json::max_depth lets it be.
Config read_config(const Json& json, std::string_view what) {
  if (json.is_string()) return Config{short_string(json, what), {}};
  if (!json.is_object())
    throw Error("expected " + std::string(what) + " by its name or config, got " + json.excerpt());
  Config config{short_string(json.at("kind"), "kind"), {}};
  json.for_each_member(what, [&](const Json& key, const Json& value) {
    const std::string name = short_string(key, "an option's name");
    if (name == "kind" || value.is_null()) return;
    if (config.options.size() == most_options)
      throw Error(config.kind + " has more than " + std::to_string(most_options) + " options");
    config.options.push_back({name, read_value(value, name)});
  });
  return config;
}

/// Recursion is as deep as the description in memory.
void write_config(JsonWriter& json, const Config& config) {
  json.begin_object();
  if (!config.kind.empty()) json.member("kind", config.kind);
  for (const ConfigEntry& option : config.options) {
    json.name(option.name);
    std::visit(
        [&](const auto& value) {
          using V = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<V, Config>) {
            write_config(json, value);
          } else if constexpr (std::is_same_v<V, std::vector<double>>) {
            check_list(option.name, value.size());
            json.begin_array();
            for (const double number : value) json.value(number);
            json.end_array();
          } else {
            json.value(value);
          }
        },
        option.value);
  }
  json.end_object();
}

}  // namespace chainrule::model_file

namespace chainrule {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

Config config_from_json(std::string_view text) {
  if (is_name(text)) return Config{std::string(text), {}};
  return model_file::read_config(model_file::Json::parse(text), "a description");
}

std::vector<Config> configs_from_json(std::string_view text) {
  std::vector<Config> configs;
  model_file::Json::parse(text).for_each_element("the list", [&](const model_file::Json& item) {
    configs.push_back(model_file::read_config(item, "a description"));
  });
  return configs;
}

std::string to_json(const Config& config) {
  model_file::JsonWriter json;
  model_file::write_config(json, config);
  return json.take();
}

std::string to_json(const std::vector<Config>& configs) {
  model_file::JsonWriter json;
  json.begin_array();
  for (const Config& config : configs) model_file::write_config(json, config);
  json.end_array();
  return json.take();
}

}  // namespace chainrule
