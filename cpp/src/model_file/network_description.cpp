// SPDX-License-Identifier: Apache-2.0
#include "model_file/network_description.hpp"

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/names.hpp"
#include "model_file/config_json.hpp"

namespace chainrule::model_file {
namespace {

/// Seeds are text, since many JSON readers keep integers as doubles.
std::uint64_t read_seed(const Json& json) {
  const std::string text = json.is_string() ? json.excerpt() : "";
  std::uint64_t seed = 0;
  const char* end = text.data() + text.size();
  if (text.size() > 2) {
    const auto read = std::from_chars(text.data() + 1, end - 1, seed);
    if (read.ec == std::errc() && read.ptr == end - 1) return seed;
  }
  throw Error("seed must lie in 0..2^64-1, got " + json.excerpt());
}

DataType read_type(const Json& json) {
  const std::string name = json.is_string() ? json.string("dtype") : json.excerpt();
  if (name == "float32") return DataType::float32;
  if (name == "float64") return DataType::float64;
  throw Error(unknown_name("dtype", name.substr(0, 40), {"float32", "float64"}));
}

std::vector<std::string> read_names(const Json& network, const char* key) {
  std::vector<std::string> names;
  const std::optional<Json> list = network.find(key);
  if (!list || list->is_null()) return names;
  std::size_t count = 0;
  list->for_each_element(key, [&](const Json&) { ++count; });
  names.reserve(count);
  list->for_each_element(
      key, [&](const Json& name) { names.push_back(name.string(std::string("one of ") + key)); });
  return names;
}

/// Files without names are as they were before there were any.
void write_names(JsonWriter& json, const char* key, const std::vector<std::string>& names) {
  if (names.empty()) return;
  json.name(key);
  json.begin_array();
  for (const std::string& name : names) json.value(name);
  json.end_array();
}

}  // namespace

NetworkDescription read_network(const Json& json) {
  NetworkDescription network;
  const Json layers = json.at("layers");
  std::size_t count = 0;
  layers.for_each_element("layers", [&](const Json&) { ++count; });
  network.layers.reserve(count);
  layers.for_each_element("layers", [&](const Json& layer) {
    network.layers.push_back(Layer::from_config(read_config(layer, "a layer")));
  });
  network.inputs = json.at("inputs").integer("inputs");
  network.seed = read_seed(json.at("seed"));
  network.type = read_type(json.at("dtype"));
  network.feature_names = read_names(json, "feature_names");
  network.class_names = read_names(json, "class_names");
  const std::optional<Json> mean = json.find("exact_mean");
  if (mean && !mean->is_null()) {
    std::size_t columns = 0;
    mean->for_each_element("exact_mean", [&](const Json&) { ++columns; });
    network.exact_mean.reserve(columns);
    mean->for_each_element("exact_mean", [&](const Json& entry) {
      network.exact_mean.push_back(entry.number("one of exact_mean"));
    });
  }
  return network;
}

void write_network(JsonWriter& json, const NetworkDescription& network) {
  json.begin_object();
  json.name("layers");
  json.begin_array();
  for (const AnyLayer& layer : network.layers) write_config(json, layer->config());
  json.end_array();
  json.member("inputs", network.inputs);
  json.member("seed", std::to_string(network.seed));
  json.member("dtype", network.type == DataType::float32 ? "float32" : "float64");
  write_names(json, "feature_names", network.feature_names);
  write_names(json, "class_names", network.class_names);
  if (!network.exact_mean.empty()) {
    json.name("exact_mean");
    json.begin_array();
    for (const double entry : network.exact_mean) json.value(entry);
    json.end_array();
  }
  json.end_object();
}

}  // namespace chainrule::model_file
