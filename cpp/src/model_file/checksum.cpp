// SPDX-License-Identifier: Apache-2.0
#include "model_file/checksum.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "model_file/crc32.hpp"

namespace chainrule::model_file {
namespace {

std::string hexadecimal(std::uint32_t number) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int shift = 28; shift >= 0; shift -= 4) text += digits[number >> shift & 0xfU];
  return text;
}

}  // namespace

std::string checksum(std::string_view description, const std::vector<Tensor>& tensors,
                     ByteSource& source) {
  constexpr std::uint64_t piece = 1 << 16;
  std::vector<char> bytes(piece);
  std::uint32_t crc = crc32(description);
  for (const Tensor& tensor : tensors) {
    crc =
        crc32(std::string(tensor.name) + " " + tensor.type_name() + " " + tensor.shape_text(), crc);
    for (std::uint64_t done = 0; done < tensor.size(); done += piece) {
      const auto size = static_cast<std::size_t>(std::min(piece, tensor.size() - done));
      source.read(tensor.offset + done, bytes.data(), size);
      crc = crc32(bytes.data(), size, crc);
    }
  }
  return hexadecimal(crc);
}

}  // namespace chainrule::model_file
