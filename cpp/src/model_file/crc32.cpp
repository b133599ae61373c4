// SPDX-License-Identifier: Apache-2.0
#include "model_file/crc32.hpp"

#include <array>

namespace chainrule::model_file {
namespace {

/// tables[k][b] is the CRC of byte b followed by k zero bytes: eight bytes are taken at a time.
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? crc >> 1 ^ 0xedb88320U : crc >> 1;
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < tables.size(); ++k)
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = before >> 8 ^ tables[0][before & 0xffU];
    }
  return tables;
}

constexpr Tables tables = make_tables();

}  // namespace

std::uint32_t crc32(const void* data, std::size_t size, std::uint32_t crc) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  crc = ~crc;
  for (; size >= 8; size -= 8, bytes += 8) {
    std::uint32_t next = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      const std::uint32_t byte = i < 4 ? bytes[i] ^ (crc >> (8 * i) & 0xffU) : bytes[i];
      next ^= tables[7 - i][byte];
    }
    crc = next;
  }
  for (; size > 0; --size, ++bytes) crc = crc >> 8 ^ tables[0][(crc ^ *bytes) & 0xffU];
  return ~crc;
}

}  // namespace chainrule::model_file
