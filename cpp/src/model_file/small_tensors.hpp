// SPDX-License-Identifier: Apache-2.0
// The weights of dense layers in bfloat16 or int8: their description, and their arrays in a file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chainrule/graph.hpp"
#include "chainrule/quantization.hpp"
#include "model_file/json.hpp"
#include "model_file/json_writer.hpp"
#include "model_file/network_tensors.hpp"
#include "model_file/tensor.hpp"

namespace chainrule::model_file {

/// Whether a tensor is small: the weight of a dense layer, and no optimizer's memory of it.
bool is_small(const Graph& graph, const ParameterInfo& info, const std::string* slot,
              WeightType weights);

/// Calls visit(name, tensor) for the one or two tensors that hold an array of a network.
template <class Visit>
void for_each_part(const Graph& graph, const std::string& name, const ParameterInfo& info,
                   const std::string* slot, TensorType type, WeightType weights,
                   const Visit& visit) {
  if (!is_small(graph, info, slot, weights)) return visit(name, described_by(info, type));
  const bool integers = weights == WeightType::int8;
  visit(name, described_by(info, integers ? TensorType::int8 : TensorType::bfloat16));
  if (!integers) return;
  Tensor scale;
  scale.axes = 1;
  scale.shape = {info.shape.columns(), 1};
  visit(name + ".scale", scale);
}

/// Null and unchanged weights are the same. Throws Error for what does not fit the graph.
Quantization read_quantization(const Json& network, const Graph& graph);
void write_quantization(JsonWriter& json, const Quantization& quantization);

/// A matrix in int8, and the scale of each column.
struct Int8Matrix {
  std::vector<std::int8_t> integers;
  std::vector<float> scales;
};

/// weight: rows x columns. Throws Error where a number has no such form.
std::vector<std::uint16_t> narrowed(const std::vector<float>& weight);
Int8Matrix quantized(const std::vector<float>& weight, std::size_t columns);
std::vector<float> widened(const std::vector<std::uint16_t>& weight);
/// Throws Error unless quantized() gives the same matrix of the result.
std::vector<float> widened(const Int8Matrix& matrix);

}  // namespace chainrule::model_file
