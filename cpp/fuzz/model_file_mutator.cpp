// SPDX-License-Identifier: Apache-2.0
// Mutations that keep a file's outer form: the length field fits the header, and what is changed
// inside of the description is still a JSON string, so that the fuzzer gets past the first checks.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "chainrule/error.hpp"
#include "model_file/json.hpp"
#include "model_file/json_writer.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

using chainrule::model_file::Json;
using chainrule::model_file::JsonWriter;

constexpr std::size_t length_size = 8;

std::string mutated(std::string_view text, std::size_t max_size) {
  std::string result(max_size, '\0');
  const std::size_t size = std::min(text.size(), max_size);
  std::memcpy(result.data(), text.data(), size);
  result.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(result.data()), size, max_size));
  return result;
}

/// The header with its description, text in the text, mutated.
std::string with_mutated_description(std::string_view header, std::size_t max_size) {
  JsonWriter json;
  json.begin_object();
  Json::parse(header).for_each_member("header", [&](const Json& name, const Json& value) {
    json.name(name.string("name"));
    if (name.text() != "\"__metadata__\"") {
      json.raw(value.text());
      return;
    }
    json.begin_object();
    value.for_each_member("metadata", [&](const Json& key, const Json& text) {
      json.name(key.string("key"));
      if (key.text() == "\"chainrule\"") {
        const std::string description = text.string("description");
        json.value(std::string_view(mutated(description, max_size)));
      } else {
        json.raw(text.text());
      }
    });
    json.end_object();
  });
  json.end_object();
  return json.take();
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < length_size && i < size; ++i)
    length |= std::uint64_t{data[i]} << (8 * i);
  if (seed % 8 == 0 || size < length_size || length > size - length_size)
    return LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 == 1) {
    // Other numbers, as many as before.
    const std::size_t body_size = size - length_size - length;
    if (body_size) LLVMFuzzerMutate(data + size - body_size, body_size, body_size);
    return size;
  }
  const std::string_view header = content.substr(length_size, length);
  const std::string_view body = content.substr(length_size + length);
  std::string changed;
  try {
    changed = seed % 8 < 4 ? mutated(header, max_size) : with_mutated_description(header, max_size);
  } catch (const chainrule::Error&) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  std::string result;
  for (std::size_t i = 0; i < length_size; ++i)
    result += static_cast<char>(changed.size() >> (8 * i) & 0xff);
  result += changed;
  result += body;
  result.resize(std::min(result.size(), max_size));
  std::memcpy(data, result.data(), result.size());
  return result.size();
}
