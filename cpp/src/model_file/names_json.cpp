// SPDX-License-Identifier: Apache-2.0
#include "model_file/names_json.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/names.hpp"

namespace chainrule::model_file {
namespace {

std::vector<std::string> read_name_list(const std::optional<Json>& list, const std::string& what) {
  std::vector<std::string> names;
  if (!list || list->is_null()) return names;
  std::size_t count = 0;
  list->for_each_element(what, [&](const Json&) { ++count; });
  names.reserve(count);
  list->for_each_element(what,
                         [&](const Json& name) { names.push_back(name.string("one of " + what)); });
  return names;
}

void write_name_list(JsonWriter& json, const std::vector<std::string>& names) {
  json.begin_array();
  for (const std::string& name : names) json.value(name);
  json.end_array();
}

std::vector<std::string> parts_of(const NamesKeys& keys, const Graph& graph) {
  std::vector<std::string> parts;
  for (const std::int64_t node : (graph.*keys.nodes)()) parts.push_back(graph.node(node).name);
  return parts;
}

}  // namespace

bool has_names(const PartNames& names) {
  return std::any_of(names.begin(), names.end(), [](const auto& part) { return !part.empty(); });
}

PartNames read_names(const Json& json, const NamesKeys& keys, const Graph& graph) {
  const std::vector<std::string> parts = parts_of(keys, graph);
  PartNames names(parts.size());
  if (parts.size() == 1) {
    names[0] = read_name_list(json.find(keys.list), keys.list);
    return names;
  }
  const std::optional<Json> object = json.find(keys.object);
  if (!object || object->is_null()) return names;
  object->for_each_member(keys.object, [&](const Json& key, const Json&) {
    const std::string part = key.string("a key");
    if (std::find(parts.begin(), parts.end(), part) == parts.end())
      throw Error(std::string(keys.object) + ": " + unknown_name(keys.part, part, parts));
  });
  for (std::size_t i = 0; i < parts.size(); ++i)
    names[i] =
        read_name_list(object->find(parts[i]), std::string(keys.list) + "['" + parts[i] + "']");
  return names;
}

void write_names(JsonWriter& json, const NamesKeys& keys, const Graph& graph,
                 const PartNames& names) {
  if (!has_names(names)) return;
  if (names.size() == 1) {
    json.name(keys.list);
    write_name_list(json, names[0]);
    return;
  }
  const std::vector<std::string> parts = parts_of(keys, graph);
  json.name(keys.object);
  json.begin_object();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (names[i].empty()) continue;
    json.name(parts[i]);
    write_name_list(json, names[i]);
  }
  json.end_object();
}

PartNames read_category_names(const Json& json) {
  PartNames names;
  const std::optional<Json> lists = json.find(category_key);
  if (!lists || lists->is_null()) return names;
  std::size_t count = 0;
  lists->for_each_element(category_key, [&](const Json&) { ++count; });
  names.reserve(count);
  lists->for_each_element(
      category_key, [&](const Json& list) { names.push_back(read_name_list(list, category_key)); });
  return names;
}

void write_category_names(JsonWriter& json, const PartNames& names) {
  if (names.empty()) return;
  json.name(category_key);
  json.begin_array();
  for (const std::vector<std::string>& list : names) write_name_list(json, list);
  json.end_array();
}

}  // namespace chainrule::model_file
