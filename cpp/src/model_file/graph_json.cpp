// SPDX-License-Identifier: Apache-2.0
#include "model_file/graph_json.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model_file/config_json.hpp"

namespace chainrule::model_file {
namespace {

std::vector<std::string> read_texts(const Json& list, const char* name) {
  std::vector<std::string> texts;
  list.for_each_element(
      name, [&](const Json& text) { texts.push_back(text.string(std::string("one of ") + name)); });
  return texts;
}

NodeConfig read_node(const Json& json) {
  NodeConfig node{.name = json.at("name").string("the name of a node")};
  if (const std::optional<Json> shape = json.find("shape")) {
    std::vector<std::int64_t> extents;
    shape->for_each_element(
        "shape", [&](const Json& extent) { extents.push_back(extent.integer("one of shape")); });
    node.shape = Shape(std::move(extents));
    return node;
  }
  node.inputs = read_texts(json.at("inputs"), "inputs");
  if (const std::optional<Json> trainable = json.find("trainable"))
    node.trainable = trainable->boolean("trainable");
  if (const std::optional<Json> member = json.find("member"))
    node.member = member->integer("member");
  if (const std::optional<Json> shares = json.find("shares")) {
    node.shares = shares->string("shares");
  } else {
    node.layer = read_config(json.at("layer"), "a layer");
  }
  return node;
}

void write_texts(JsonWriter& json, const char* name, const std::vector<std::string>& texts) {
  json.name(name);
  json.begin_array();
  for (const std::string& text : texts) json.value(text);
  json.end_array();
}

}  // namespace

GraphConfig read_graph_config(const Json& json) {
  GraphConfig config;
  json.at("nodes").for_each_element(
      "nodes", [&](const Json& node) { config.nodes.push_back(read_node(node)); });
  config.outputs = read_texts(json.at("outputs"), "outputs");
  return config;
}

void write_graph_config(JsonWriter& json, const GraphConfig& config) {
  json.name("nodes");
  json.begin_array();
  for (const NodeConfig& node : config.nodes) {
    json.begin_object();
    json.member("name", node.name);
    if (node.layer) {
      json.name("layer");
      write_config(json, *node.layer);
    } else if (!node.shares.empty()) {
      json.member("shares", node.shares);
    } else {
      json.name("shape");
      json.begin_array();
      for (const std::int64_t extent : node.shape.extents()) json.value(extent);
      json.end_array();
    }
    if (!node.inputs.empty()) write_texts(json, "inputs", node.inputs);
    if (!node.trainable) json.member("trainable", false);
    if (node.member != 0) json.member("member", node.member);
    json.end_object();
  }
  json.end_array();
  write_texts(json, "outputs", config.outputs);
}

}  // namespace chainrule::model_file

namespace chainrule {

GraphConfig graph_config_from_json(std::string_view text) {
  return model_file::read_graph_config(model_file::Json::parse(text));
}

std::string to_json(const GraphConfig& config) {
  model_file::JsonWriter json;
  json.begin_object();
  model_file::write_graph_config(json, config);
  json.end_object();
  return json.take();
}

}  // namespace chainrule
