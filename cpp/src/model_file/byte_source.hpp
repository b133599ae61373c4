// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace chainrule::model_file {

/// Bytes in memory or in a file, read where they are needed.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;
  /// Copies `size` bytes from `offset` on; throws ModelFileError where a file has become shorter
  /// than that, FileError when it cannot be read.
  virtual void read(std::uint64_t offset, void* to, std::size_t size) = 0;
};

/// Bytes that must outlive it.
std::unique_ptr<ByteSource> source_of(std::string_view content);

/// A regular file's bytes, not before they are asked for. Throws FileError when it cannot be
/// opened, ModelFileError for a device or a pipe, which may have no end.
std::unique_ptr<ByteSource> open_source(const std::string& path);

}  // namespace chainrule::model_file
