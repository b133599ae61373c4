// SPDX-License-Identifier: Apache-2.0
// A fuzz target: whatever the bytes, they are a model or a ModelFileError, in little memory. A
// model that was read is written and read again to the same bytes.
//
//     cmake --preset fuzz && cmake --build --preset fuzz
//     python cpp/fuzz/model_file_seeds.py build/fuzz/corpus
//     build/fuzz/cpp/fuzz/fuzz_model_file -max_len=16384 -timeout=10 -rss_limit_mb=2048
//         -malloc_limit_mb=64 -dict=cpp/fuzz/model_file.dict build/fuzz/corpus
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "chainrule/any_model.hpp"
#include "chainrule/error.hpp"
#include "model_file/byte_source.hpp"
#include "model_file/checksum.hpp"
#include "model_file/safetensors.hpp"
#include "peak_memory.hpp"

namespace {

using chainrule::fuzz::peak_memory;
using chainrule::fuzz::require;

std::string bytes_of(const chainrule::AnyModel& model) {
  return std::visit(
      [](const auto& read) {
        return chainrule::model_bytes(read.network, read.training, read.quantization);
      },
      model);
}

/// The bytes with the checksum that they should have, which no mutation would hit, so that the
/// reader goes on to what lies behind it.
std::string with_right_checksum(std::string_view content) {
  std::string result(content);
  try {
    const auto source = chainrule::model_file::source_of(content);
    chainrule::model_file::SafetensorsHeader header(*source);
    header.read_tensors();
    const std::string given = header.metadata("crc32");
    const std::string right =
        chainrule::model_file::checksum(header.metadata("chainrule"), header.tensors(), *source);
    const std::size_t place = content.find(given, content.find("\"crc32\""));
    if (place != content.npos && given.size() == right.size())
      result.replace(place, given.size(), right);
  } catch (const chainrule::Error&) {
    // The reader refuses it too.
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string content = with_right_checksum({reinterpret_cast<const char*>(data), size});
  std::optional<chainrule::AnyModel> model;
  const std::size_t memory = peak_memory([&] {
    try {
      model = chainrule::read_any_model(content);
    } catch (const chainrule::ModelFileError&) {
    }
  });
  // Small weights are widened, and compared with what they give when made small again.
  const std::size_t times = content.find("quantization") == content.npos ? 2 : 10;
  require(memory <= times * size + 1'000'000, "more memory than the format promises");
  if (!model) return 0;
  const std::string written = bytes_of(*model);
  require(bytes_of(chainrule::read_any_model(written)) == written,
          "a model that was read is not written and read to the same bytes");
  return 0;
}
