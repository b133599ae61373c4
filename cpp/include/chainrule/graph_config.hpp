// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/shape.hpp"

namespace chainrule {

/// A node as files and other languages describe it: by names.
struct NodeConfig {
  std::string name;
  std::optional<Config> layer = {};  // none: an input, of this shape
  Shape shape = 0;
  std::vector<std::string> inputs = {};
  std::string shares = {};  // the node whose layer and parameters it uses; empty: its own
  bool trainable = true;
  std::int64_t member = 0;
};

/// The nodes of a graph in topological order, and which of them are its outputs.
struct GraphConfig {
  std::vector<NodeConfig> nodes;
  std::vector<std::string> outputs;
};

/// A description in the JSON form that model files have: {"nodes": [{"name": "x", "shape": [4]},
/// {"name": "h", "layer": {"kind": "dense", "units": 3}, "inputs": ["x"]}], "outputs": ["h"]}.
CHAINRULE_API GraphConfig graph_config_from_json(std::string_view text);
CHAINRULE_API std::string to_json(const GraphConfig& config);

}  // namespace chainrule
