// SPDX-License-Identifier: Apache-2.0
// The arrays of a network in a file: their names, shapes and byte order.
#pragma once

#include <algorithm>
#include <bit>
#include <string>
#include <type_traits>
#include <vector>

#include "chainrule/network.hpp"
#include "model_file/tensor.hpp"

namespace chainrule::model_file {

template <class T>
inline constexpr DataType data_type =
    std::is_same_v<T, float> ? DataType::float32 : DataType::float64;

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

inline Tensor described_by(const ParameterInfo& info, DataType type) {
  Tensor tensor;
  tensor.type = type;
  tensor.axes = info.vector ? 1 : 2;
  tensor.shape = {info.vector ? info.columns : info.rows, info.vector ? 1 : info.columns};
  return tensor;
}

/// Turns values between the file's byte order, little-endian, and the machine's.
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
