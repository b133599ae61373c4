// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace chainrule::model_file {

/// What the numbers of a tensor are.
enum class TensorType : std::uint8_t { float32, float64, bfloat16, int8 };

struct TensorTypeInfo {
  const char* dtype;  // in the header
  const char* name;   // in the checksum and in messages
  std::uint8_t size;
};

/// By TensorType.
inline constexpr std::array<TensorTypeInfo, 4> tensor_types{
    {{"F32", "float32", 4}, {"F64", "float64", 8}, {"BF16", "bfloat16", 2}, {"I8", "int8", 1}}};

/// An array in a file. As a hostile header may list one in every 50 bytes, it is kept small.
struct Tensor {
  std::string_view name;                // in the header's text
  std::uint64_t offset = 0;             // from the beginning of the file
  std::array<std::int64_t, 2> shape{};  // the second is 1 for vectors
  std::uint8_t axes = 2;                // 1 or 2
  bool expected = false;                // found to be one of the network's
  TensorType type = TensorType::float32;

  const TensorTypeInfo& info() const { return tensor_types[static_cast<std::size_t>(type)]; }
  std::uint64_t item_size() const { return info().size; }
  /// Bytes that it takes; the sizes have been checked to fit the file.
  std::uint64_t size() const {
    return static_cast<std::uint64_t>(shape[0]) * static_cast<std::uint64_t>(shape[1]) *
           item_size();
  }
  const char* type_name() const { return info().name; }
  /// "(4, 3)", or "(3,)" for a vector.
  std::string shape_text() const {
    std::string text(1, '(');
    text.append(std::to_string(shape[0])).append(",");
    if (axes == 2) text.append(" ").append(std::to_string(shape[1]));
    text += ')';
    return text;
  }
};

}  // namespace chainrule::model_file
