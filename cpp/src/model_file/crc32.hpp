// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace chainrule::model_file {

/// The CRC-32 of zip, gzip and PNG (zlib.crc32): polynomial 0x04c11db7, reflected. `crc` is that of
/// what comes before.
std::uint32_t crc32(const void* data, std::size_t size, std::uint32_t crc = 0);

inline std::uint32_t crc32(std::string_view text, std::uint32_t crc = 0) {
  return crc32(text.data(), text.size(), crc);
}

}  // namespace chainrule::model_file
