// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/graph.hpp"
#include "chainrule/graph_config.hpp"

namespace chainrule::bindings {

namespace py = pybind11;

/// {"kind": "adam", "learning_rate": 1e-3} or just "adam"; options that are None are left out.
Config to_config(const py::handle& value);
py::dict from_config(const Config& config);

/// Nodes as {"name": str, "shape": extents} for an input, {"name": str, "layer": config, "inputs":
/// names} for a layer, and "shares": name in place of "layer" for one that is used again.
GraphConfig to_graph_config(const std::vector<py::dict>& nodes,
                            const std::vector<std::string>& outputs);
std::vector<py::dict> from_graph_config(const GraphConfig& config);

}  // namespace chainrule::bindings
