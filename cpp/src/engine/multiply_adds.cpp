// SPDX-License-Identifier: Apache-2.0
#include "engine/multiply_adds.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "chainrule/convolution_layers.hpp"
#include "chainrule/recurrent_layers.hpp"

namespace chainrule::engine {

// sum over the layers of positions x rows x columns of their matrices, where those of a convolution
// are the positions of its windows; vectors do not count. Behind
// an encoding of categories a row has at most one nonzero for each of its columns of categories,
// and a dense layer multiplies by these alone.
double multiply_adds(const Graph& graph) {
  double count = 0.0;
  // How many columns of each node's row can be other than zero.
  std::vector<std::int64_t> terms;
  for (const Node& node : graph.nodes()) {
    const std::int64_t columns = node.shape.columns();
    if (!node.layer) {
      terms.push_back(columns);
      continue;
    }
    const Layer& layer = **node.layer;
    const auto input = static_cast<std::size_t>(node.inputs.front());
    const std::vector<ParameterSpec> parameters = layer.parameters(graph.input_shapes(node));
    if (dynamic_cast<const RecurrentLayer*>(&layer)) {  // each matrix at each of its time steps
      const auto times = static_cast<double>(graph.input_shapes(node)[0].positions());
      for (const ParameterSpec& p : parameters)
        if (p.shape.rank() > 1) count += times * static_cast<double>(p.shape.size());
      terms.push_back(columns);
      continue;
    }
    if (const auto* convolution = dynamic_cast<const Convolution*>(&layer)) {
      const std::vector<Shape> inputs = graph.input_shapes(node);
      const Shape& windows = convolution->is_transposed() ? inputs[0] : node.shape;
      count += static_cast<double>(windows.positions()) *
               static_cast<double>(parameters[0].shape.size());
      terms.push_back(columns);
      continue;
    }
    const auto positions = static_cast<double>(node.shape.positions());
    if (dynamic_cast<const DepthwiseConvolution*>(&layer)) {
      count += positions * static_cast<double>(parameters[0].shape.size());
      terms.push_back(columns);
      continue;
    }
    for (const ParameterSpec& p : parameters) {
      const std::int64_t rows = p.shape.positions();
      if (rows > 1)
        count += positions * static_cast<double>(std::min(rows, terms[input])) *
                 static_cast<double>(p.shape.columns());
    }
    const bool encodes = layer.reads_categories() && parameters.empty();
    terms.push_back(encodes ? std::min(terms[input], columns) : columns);
  }
  return count;
}

}  // namespace chainrule::engine
