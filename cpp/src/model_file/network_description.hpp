// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "chainrule/data.hpp"
#include "chainrule/graph.hpp"
#include "chainrule/quantization.hpp"
#include "model_file/json.hpp"
#include "model_file/json_writer.hpp"
#include "model_file/names_json.hpp"

namespace chainrule::model_file {

/// What makes a network, but for its parameters.
struct NetworkDescription {
  Graph graph;
  std::uint64_t seed = 0;
  DataType type = DataType::float32;
  PartNames feature_names;
  PartNames class_names;
  PartNames category_names;
  std::vector<double> exact_mean;  // see Network::exact_mean
  Quantization quantization;
};

/// Whether a list of layers and the number of inputs say all that there is to the graph, as all
/// files before format 3 do.
bool is_plain_chain(const Graph& graph);

/// Throws Error for what does not fit.
NetworkDescription read_network(const Json& json);
/// Takes over the names of several inputs and outputs from where earlier files have them: their
/// record of the training, by the same keys.
void read_earlier_names(NetworkDescription& network, const Json& training);
void write_network(JsonWriter& json, const NetworkDescription& network);

}  // namespace chainrule::model_file
