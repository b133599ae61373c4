// SPDX-License-Identifier: Apache-2.0
#include "engine/threads/work.hpp"

#include <algorithm>

namespace chainrule::engine {

double multiply_adds(const std::vector<AnyLayer>& layers, std::int64_t inputs) {
  double count = 0.0;
  std::int64_t terms = inputs;  // of a row that can be other than zero
  for (const auto& layer : layers) {
    const std::int64_t outputs = layer->outputs(inputs);
    const std::vector<ParameterSpec> parameters = layer->parameters(inputs);
    for (const ParameterSpec& p : parameters) {
      if (p.rows > 1)
        count += static_cast<double>(std::min(p.rows, terms)) * static_cast<double>(p.columns);
    }
    const bool encodes = layer->reads_categories() && parameters.empty();
    terms = encodes ? std::min(inputs, outputs) : outputs;
    inputs = outputs;
  }
  return count;
}

}  // namespace chainrule::engine
