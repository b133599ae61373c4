// SPDX-License-Identifier: Apache-2.0
#include "model_file/small_tensors.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <optional>

#include "chainrule/error.hpp"

namespace chainrule::model_file {
namespace {

constexpr std::string_view weight_suffix = ".weight";

bool is_dense(const Node& node) { return node.layer && (*node.layer)->kind() == "dense"; }

WeightType read_weight_type(const Json& json) {
  const std::string name = json.string("weights");
  if (name == "bf16") return WeightType::bfloat16;
  if (name == "int8") return WeightType::int8;
  throw Error("quantization: weights is '" + name.substr(0, 40) + "', expected 'bf16' or 'int8'");
}

}  // namespace

bool is_small(const Graph& graph, const ParameterInfo& info, const std::string* slot,
              WeightType weights) {
  std::string_view name = info.name;
  if (weights == WeightType::unchanged || slot != nullptr || !name.ends_with(weight_suffix))
    return false;
  name.remove_suffix(weight_suffix.size());
  return std::any_of(graph.nodes().begin(), graph.nodes().end(),
                     [&](const Node& node) { return node.name == name && is_dense(node); });
}

Quantization read_quantization(const Json& network, const Graph& graph) {
  Quantization result;
  const std::optional<Json> json = network.find("quantization");
  if (!json || json->is_null()) return result;
  result.weights = read_weight_type(json->at("weights"));
  const auto layers =
      static_cast<std::size_t>(std::count_if(graph.nodes().begin(), graph.nodes().end(), is_dense));
  if (result.weights == WeightType::int8) {
    json->at("ranges").for_each_element("ranges", [&](const Json& pair) {
      std::vector<float> limits;
      pair.for_each_element("a range", [&](const Json& limit) {
        if (limits.size() < 3) limits.push_back(static_cast<float>(limit.number("a limit")));
      });
      if (limits.size() != 2 || !(limits[0] <= 0 && limits[1] >= 0) ||
          !std::isfinite(limits[1] - limits[0]))
        throw Error("quantization: a range is " + pair.excerpt() +
                    ", expected finite limits around 0");
      if (result.ranges.size() <= layers) result.ranges.push_back({limits[0], limits[1]});
    });
    if (result.ranges.size() != layers || layers == 0)
      throw Error("quantization: the network has " + std::to_string(layers) +
                  " dense layers, there must be a range for each");
  }
  return result;
}

void write_quantization(JsonWriter& json, const Quantization& quantization) {
  if (quantization.weights == WeightType::unchanged) return;
  json.name("quantization");
  json.begin_object();
  const bool integers = quantization.weights == WeightType::int8;
  json.member("weights", integers ? "int8" : "bf16");
  if (integers) {
    json.name("ranges");
    json.begin_array();
    for (const InputRange& range : quantization.ranges) {
      json.begin_array();
      json.value(double{range.low});
      json.value(double{range.high});
      json.end_array();
    }
    json.end_array();
  }
  json.end_object();
}

std::vector<std::uint16_t> narrowed(const std::vector<float>& weight) {
  std::vector<std::uint16_t> result(weight.size());
  std::transform(weight.begin(), weight.end(), result.begin(), to_bfloat16);
  for (const float value : widened(result))
    if (!std::isfinite(value)) throw Error("weights in bf16: a weight is too large");
  return result;
}

std::vector<float> widened(const std::vector<std::uint16_t>& weight) {
  std::vector<float> result(weight.size());
  std::transform(weight.begin(), weight.end(), result.begin(), [](std::uint16_t half) {
    return std::bit_cast<float>(std::uint32_t{half} << 16);
  });
  return result;
}

Int8Matrix quantized(const std::vector<float>& weight, std::size_t columns) {
  Int8Matrix result{std::vector<std::int8_t>(weight.size()), std::vector<float>(columns)};
  for (std::size_t i = 0; i < weight.size(); ++i) {
    float& largest = result.scales[i % columns];
    largest = std::max(largest, std::abs(weight[i]));
  }
  for (float& value : result.scales) value = int8_scale(value);
  for (std::size_t i = 0; i < weight.size(); ++i)
    result.integers[i] =
        static_cast<std::int8_t>(std::nearbyint(weight[i] / result.scales[i % columns]));
  return result;
}

std::vector<float> widened(const Int8Matrix& matrix) {
  const std::size_t columns = matrix.scales.size();
  std::vector<float> result(matrix.integers.size());
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = static_cast<float>(matrix.integers[i]) * matrix.scales[i % columns];
  const bool finite =
      std::all_of(result.begin(), result.end(), [](float v) { return std::isfinite(v); });
  if (finite) {
    const Int8Matrix again = quantized(result, columns);
    if (again.integers == matrix.integers && again.scales == matrix.scales) return result;
  }
  throw Error("its scales are not those of columns whose largest magnitude is 127");
}

}  // namespace chainrule::model_file
