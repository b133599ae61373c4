// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/quantization.hpp"

namespace chainrule::bindings {

/// The lowest and the highest number that enters each dense layer.
using Ranges = std::vector<std::pair<float, float>>;

inline const char* weights_name(WeightType weights) {
  if (weights == WeightType::unchanged) return "unchanged";
  return weights == WeightType::bfloat16 ? "bf16" : "int8";
}

inline Quantization quantization_of(const std::string& name, const Ranges& ranges) {
  Quantization result;
  for (const WeightType type : {WeightType::unchanged, WeightType::bfloat16, WeightType::int8}) {
    if (name != weights_name(type)) continue;
    result.weights = type;
    for (const auto& [low, high] : ranges) result.ranges.push_back({low, high});
    return result;
  }
  throw Error("weights is '" + name + "', expected 'bf16' or 'int8'");
}

}  // namespace chainrule::bindings
