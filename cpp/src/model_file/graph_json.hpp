// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chainrule/graph.hpp"
#include "chainrule/graph_config.hpp"
#include "model_file/json.hpp"
#include "model_file/json_writer.hpp"

namespace chainrule::model_file {

/// The members "nodes" and "outputs" of an object.
GraphConfig read_graph_config(const Json& json);
void write_graph_config(JsonWriter& json, const GraphConfig& config);

}  // namespace chainrule::model_file
