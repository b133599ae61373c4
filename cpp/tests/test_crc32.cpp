// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "model_file/crc32.hpp"

using chainrule::model_file::crc32;

// Check values of the catalogue of CRC algorithms and of zlib.crc32.
TEST_CASE("known checksums") {
  CHECK(crc32("") == 0);
  CHECK(crc32("123456789") == 0xcbf43926);
  CHECK(crc32("The quick brown fox jumps over the lazy dog") == 0x414fa339);
  CHECK(crc32(std::string(100, '\0')) == 0x9988c6ca);
}

TEST_CASE("every bit counts, and so does its place") {
  std::string text;
  for (int i = 0; i < 53; ++i) text += static_cast<char>(i * 37);
  // Bit by bit, as the polynomial says.
  const auto slow = [](const std::string& bytes) {
    std::uint32_t crc = ~0U;
    for (const char byte : bytes) {
      crc ^= static_cast<unsigned char>(byte);
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (0xedb88320U & (0U - (crc & 1U)));
    }
    return ~crc;
  };
  for (std::size_t size = 0; size <= text.size(); ++size)
    CHECK(crc32(text.substr(0, size)) == slow(text.substr(0, size)));
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    CHECK(crc32(text.substr(cut), crc32(text.substr(0, cut))) == slow(text));
}
