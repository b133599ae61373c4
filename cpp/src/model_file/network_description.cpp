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
#include "model/lambda.hpp"
#include "model_file/config_json.hpp"
#include "model_file/graph_json.hpp"
#include "model_file/small_tensors.hpp"

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

std::size_t count_elements(const Json& list, const char* name) {
  std::size_t count = 0;
  list.for_each_element(name, [&](const Json&) { ++count; });
  return count;
}

/// The layers of a chain, and the columns of its input.
Graph read_chain(const Json& json) {
  const Json list = json.at("layers");
  std::vector<AnyLayer> layers;
  layers.reserve(count_elements(list, "layers"));
  list.for_each_element("layers", [&](const Json& layer) {
    layers.push_back(Layer::from_config(read_config(layer, "a layer")));
  });
  const std::int64_t inputs = json.at("inputs").integer("inputs");
  if (layers.empty()) throw Error("a network needs at least one layer");
  Graph graph = Graph::chain(layers, inputs);
  model::refuse_lambdas(graph, "a model file");
  return graph;
}

Graph read_graph(const Json& json) {
  Graph graph = Graph::from_config(read_graph_config(json));
  graph.check();
  model::refuse_lambdas(graph, "a model file");
  return graph;
}

void write_chain(JsonWriter& json, const Graph& graph) {
  json.name("layers");
  json.begin_array();
  for (const Node& node : graph.nodes())
    if (node.layer) write_config(json, (*node.layer)->config());
  json.end_array();
  json.member("inputs", graph.node(0).shape.columns());
}

}  // namespace

bool is_plain_chain(const Graph& graph) {
  if (!graph.is_chain() || graph.node(0).shape.rank() != 1 || graph.node(0).name != "x")
    return false;
  for (const Node& node : graph.nodes())
    if (node.layer &&
        (node.name != std::to_string(node.layer_index) || !node.trainable || node.member != 0))
      return false;
  return true;
}

NetworkDescription read_network(const Json& json) {
  NetworkDescription network;
  network.graph = json.find("nodes") ? read_graph(json) : read_chain(json);
  network.seed = read_seed(json.at("seed"));
  network.type = read_type(json.at("dtype"));
  network.feature_names = read_names(json, feature_keys, network.graph);
  network.class_names = read_names(json, class_keys, network.graph);
  network.category_names = read_category_names(json);
  network.quantization = read_quantization(json, network.graph);
  if (network.quantization.weights != WeightType::unchanged && network.type != DataType::float32)
    throw Error("small weights are those of a network of float32, and this one is of float64");
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

void read_earlier_names(NetworkDescription& network, const Json& training) {
  if (!has_names(network.feature_names) && network.feature_names.size() > 1)
    network.feature_names = read_names(training, feature_keys, network.graph);
  if (!has_names(network.class_names) && network.class_names.size() > 1)
    network.class_names = read_names(training, class_keys, network.graph);
}

void write_network(JsonWriter& json, const NetworkDescription& network) {
  json.begin_object();
  is_plain_chain(network.graph) ? write_chain(json, network.graph)
                                : write_graph_config(json, network.graph.config());
  json.member("seed", std::to_string(network.seed));
  json.member("dtype", network.type == DataType::float32 ? "float32" : "float64");
  write_names(json, feature_keys, network.graph, network.feature_names);
  write_names(json, class_keys, network.graph, network.class_names);
  write_category_names(json, network.category_names);
  write_quantization(json, network.quantization);
  if (!network.exact_mean.empty()) {
    json.name("exact_mean");
    json.begin_array();
    for (const double entry : network.exact_mean) json.value(entry);
    json.end_array();
  }
  json.end_object();
}

}  // namespace chainrule::model_file
