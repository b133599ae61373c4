// SPDX-License-Identifier: Apache-2.0
#include "engine/input/lengths.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/recurrent_layers.hpp"
#include "engine/input/gather.hpp"
#include "model/number_text.hpp"

namespace chainrule::engine {

std::int64_t most_length(const Graph& graph, std::int64_t input) {
  std::int64_t most = 0;
  for (const Node& node : graph.nodes()) {
    if (node.inputs.size() < 2 || node.inputs[1] != input) continue;
    const auto* layer = dynamic_cast<const RecurrentLayer*>(&**node.layer);
    const std::vector<Shape> shapes = graph.input_shapes(node);
    if (!layer || !layer->reads_lengths(shapes)) continue;
    const std::int64_t time = shapes[0].positions();
    most = most == 0 ? time : std::min(most, time);
  }
  return most;
}

// x: rows x 1
void check_lengths(const RowsView& x, std::int64_t most, const std::string& name) {
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const double length = value_at(x, i, 0);
    if (length >= 1.0 && length <= static_cast<double>(most) && std::trunc(length) == length)
      continue;
    throw Error(name + " must hold lengths of rows, whole numbers from 1 to " +
                std::to_string(most) + "; row " + std::to_string(i) + " is " +
                model::number_text(length));
  }
}

}  // namespace chainrule::engine
