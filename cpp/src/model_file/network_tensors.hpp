// SPDX-License-Identifier: Apache-2.0
// The arrays of a network in a file: their names, shapes and byte order.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/network.hpp"
#include "chainrule/optimizer.hpp"
#include "model_file/tensor.hpp"

namespace chainrule::model_file {

template <class T>
inline constexpr DataType data_type =
    std::is_same_v<T, float> ? DataType::float32 : DataType::float64;
template <class T>
inline constexpr TensorType tensor_type =
    std::is_same_v<T, float> ? TensorType::float32 : TensorType::float64;

/// Calls visit(name, info, slot) for every tensor of a network whose optimizer has these slots; the
/// slot is null for parameters.
template <class Visit>
void for_each_tensor(const std::vector<ParameterInfo>& infos, const std::vector<std::string>& slots,
                     const Visit& visit) {
  for (const ParameterInfo& info : infos) visit(info.name, info, nullptr);
  for (const std::string& slot : slots)
    for (const ParameterInfo& info : infos)
      if (info.trainable) visit("optimizer." + slot + "." + info.name, info, &slot);
}

inline Tensor described_by(const ParameterInfo& info, TensorType type) {
  Tensor tensor;
  tensor.type = type;
  const bool vector = info.shape.rank() == 1;
  tensor.axes = vector ? 1 : 2;
  tensor.shape = {vector ? info.shape.columns() : info.shape.positions(),
                  vector ? 1 : info.shape.columns()};
  return tensor;
}

/// Throws Error for values that no training gives: a network's that are not finite, an optimizer's
/// that are NaN, and squares and variances below zero.
template <class T>
void check_values(const ParameterInfo& info, const std::string* slot,
                  const std::vector<T>& values) {
  const bool square =
      slot != nullptr ? Optimizer::keeps_squares(*slot) : info.name.ends_with("variance");
  for (const T value : values) {
    const bool valid = slot == nullptr ? std::isfinite(value) : !std::isnan(value);
    if (valid && !(square && value < T(0))) continue;
    throw Error("the values for " + (slot != nullptr ? "optimizer." + *slot + "." : std::string()) +
                info.name + (valid ? " are negative" : " contain NaN or infinity"));
  }
}

/// Converts values between the file's byte order, little-endian, and the machine's.
template <class T>
void swap_where_big_endian(std::vector<T>& values) {
  if constexpr (std::endian::native == std::endian::big) {
    for (T& value : values) {
      auto* bytes = reinterpret_cast<unsigned char*>(&value);
      std::reverse(bytes, bytes + sizeof(T));
    }
  }
}

}  // namespace chainrule::model_file
