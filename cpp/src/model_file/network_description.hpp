// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "chainrule/data.hpp"
#include "chainrule/graph.hpp"
#include "model_file/json.hpp"
#include "model_file/json_writer.hpp"

namespace chainrule::model_file {

/// What makes a network, but for its parameters.
struct NetworkDescription {
  Graph graph;
  std::uint64_t seed = 0;
  DataType type = DataType::float32;
  std::vector<std::string> feature_names;  // empty: none, as of the next
  std::vector<std::string> class_names;
  std::vector<std::vector<std::string>> category_names;
  std::vector<double> exact_mean;  // see Network::exact_mean
};

/// Whether a list of layers and the number of inputs say all that there is to the graph, as all
/// files before format 3 do.
bool is_plain_chain(const Graph& graph);

/// Throws Error for what does not fit.
NetworkDescription read_network(const Json& json);
void write_network(JsonWriter& json, const NetworkDescription& network);

}  // namespace chainrule::model_file
