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

/// The header of a safetensors file.
class SafetensorsHeader {
 public:
  /// Throws ModelFileError, FileError, or Error for what is not JSON.
  explicit SafetensorsHeader(ByteSource& source);
  SafetensorsHeader(const SafetensorsHeader&) = delete;
  SafetensorsHeader& operator=(const SafetensorsHeader&) = delete;

  /// The text under `name` in `__metadata__`.
  std::string metadata(std::string_view name) const;

  /// Reads what the header says of the tensors, every size checked against the file's. Not part of
  /// the constructor, because a newer version may have other tensors. Throws as that does.
  void read_tensors();
  /// Sorted by their names.
  const std::vector<Tensor>& tensors() const { return tensors_; }
  /// Null when there is none of that name.
  Tensor* find(std::string_view name);

 private:
  void list_tensors();
  void check_layout();

  std::uint64_t file_size_;
  std::string text_;
  Json json_;
  std::vector<Tensor> tensors_;
};

/// The bytes up to the first tensor, for tensors that lie in the file in this order. Sets their
/// offsets. The text's length depends on the lengths of the metadata alone.
std::string safetensors_header(const std::vector<std::pair<std::string, std::string>>& metadata,
                               std::vector<Tensor>& tensors);

}  // namespace chainrule::model_file
