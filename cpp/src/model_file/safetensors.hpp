// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model_file/byte_source.hpp"
#include "model_file/json.hpp"
#include "model_file/tensor.hpp"

namespace chainrule::model_file {

/// The header of a safetensors file, every size in it checked against the file's.
class SafetensorsHeader {
 public:
  /// Throws ModelFileError, FileError, or Error for JSON that is not a header's.
  explicit SafetensorsHeader(ByteSource& source);
  SafetensorsHeader(const SafetensorsHeader&) = delete;
  SafetensorsHeader& operator=(const SafetensorsHeader&) = delete;

  /// The text under `name` in `__metadata__`.
  std::string metadata(std::string_view name) const;

  /// Sorted by their names.
  const std::vector<Tensor>& tensors() const { return tensors_; }
  /// Null when there is none of that name.
  Tensor* find(std::string_view name);

 private:
  void read_tensors();
  void check_layout(std::uint64_t file_size);

  std::string text_;
  Json json_;
  std::vector<Tensor> tensors_;
};

/// The bytes up to the first tensor, for tensors that lie in the file in this order. Sets their
/// offsets. The text's length depends on the lengths of the metadata alone.
std::string safetensors_header(const std::vector<std::pair<std::string, std::string>>& metadata,
                               std::vector<Tensor>& tensors);

}  // namespace chainrule::model_file
