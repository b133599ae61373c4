// SPDX-License-Identifier: Apache-2.0
#include "model_file/safetensors.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <system_error>
#include <tuple>

#include "chainrule/error.hpp"
#include "model_file/json_writer.hpp"

namespace chainrule::model_file {
namespace {

// The safetensors package has the same limit.
constexpr std::uint64_t largest_header = 100'000'000;
constexpr std::uint64_t length_size = 8;
constexpr std::size_t longest_tensor_name = 256;

std::uint64_t read_length(ByteSource& source) {
  std::array<unsigned char, length_size> bytes{};
  source.read(0, bytes.data(), bytes.size());
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) length |= std::uint64_t{bytes[i]} << (8 * i);
  return length;
}

std::string read_text(ByteSource& source) {
  if (source.size() < length_size) throw ModelFileError("truncated: shorter than its length field");
  const std::uint64_t length = read_length(source);
  const std::uint64_t left = source.size() - length_size;
  char first = '{';
  if (left > 0) source.read(length_size, &first, 1);
  if (length < 2 || length > largest_header || first != '{')
    throw ModelFileError("not a model file: it does not begin with a safetensors header");
  if (length > left) {
    throw ModelFileError("truncated: the header has " + std::to_string(length) + " bytes, " +
                         std::to_string(left) + " are left");
  }
  std::string text(length, '\0');
  source.read(length_size, text.data(), length);
  return text;
}

std::string quoted(const Tensor& tensor) { return "tensor '" + std::string(tensor.name) + "'"; }

/// Names without escapes can be compared where they lie.
std::string_view checked_name(std::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return c >= ' ' && c <= '~' && c != '\\' && c != '"';
  });
  if (!plain || name.size() > longest_tensor_name)
    throw Error("the name of a tensor must be at most " + std::to_string(longest_tensor_name) +
                " printable ASCII characters other than \" and \\");
  return name;
}

/// Reads one or two whole numbers and gives how many.
std::uint8_t read_sizes(const Tensor& tensor, const Json& list,
                        std::array<std::int64_t, 2>& sizes) {
  std::size_t count = 0;
  list.for_each_element(quoted(tensor) + ": shape and data_offsets", [&](const Json& item) {
    std::int64_t size = -1;
    const std::string_view digits = item.text();
    if (item.is_integer() &&
        std::from_chars(digits.data(), digits.data() + digits.size(), size).ec != std::errc())
      size = -1;
    if (size < 0)
      throw ModelFileError(quoted(tensor) + " has the size or offset " + item.excerpt() +
                           ", expected a whole number below 2^63");
    if (count < sizes.size()) sizes[count] = size;
    ++count;
  });
  if (count < 1 || count > sizes.size())
    throw ModelFileError(quoted(tensor) + " has " + std::to_string(count) +
                         " axes or offsets, expected 1 or 2 axes and 2 offsets");
  return static_cast<std::uint8_t>(count);
}

Tensor read_tensor(const Json& name, const Json& entry) {
  Tensor tensor;
  tensor.name = checked_name(name.text().substr(1, name.text().size() - 2));
  const std::string type = entry.at("dtype").excerpt();
  const auto known = std::find_if(
      tensor_types.begin(), tensor_types.end(),
      [&](const TensorTypeInfo& info) { return type == '"' + std::string(info.dtype) + '"'; });
  if (known == tensor_types.end())
    throw ModelFileError(quoted(tensor) + " has type " + type +
                         ", expected \"F32\", \"F64\", \"BF16\" or \"I8\"");
  tensor.type = static_cast<TensorType>(known - tensor_types.begin());
  tensor.shape[1] = 1;
  tensor.axes = read_sizes(tensor, entry.at("shape"), tensor.shape);
  std::array<std::int64_t, 2> offsets{-1, -1};
  read_sizes(tensor, entry.at("data_offsets"), offsets);
  const std::int64_t size = offsets[1] - offsets[0];
  std::int64_t needed = 0;
  if (__builtin_mul_overflow(tensor.shape[0], tensor.shape[1], &needed) ||
      __builtin_mul_overflow(needed, static_cast<std::int64_t>(tensor.item_size()), &needed) ||
      needed != size || offsets[1] < 0) {
    throw ModelFileError(quoted(tensor) + " of shape " + tensor.shape_text() + " has " +
                         std::to_string(size) + " bytes");
  }
  tensor.offset = static_cast<std::uint64_t>(offsets[0]);
  return tensor;
}

}  // namespace

SafetensorsHeader::SafetensorsHeader(ByteSource& source)
    : file_size_(source.size()), text_(read_text(source)), json_(Json::parse(text_)) {}

void SafetensorsHeader::read_tensors() {
  list_tensors();
  check_layout();
  std::sort(tensors_.begin(), tensors_.end(),
            [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(tensors_.begin(), tensors_.end(),
                         [](const Tensor& a, const Tensor& b) { return a.name == b.name; });
  if (twice != tensors_.end()) throw ModelFileError(quoted(*twice) + " is given twice");
}

void SafetensorsHeader::list_tensors() {
  const auto for_each_tensor = [&](const auto& visit) {
    json_.for_each_member("the header", [&](const Json& name, const Json& entry) {
      if (name.text() != "\"__metadata__\"") visit(name, entry);
    });
  };
  std::size_t count = 0;
  for_each_tensor([&](const Json&, const Json&) { ++count; });
  tensors_.reserve(count);
  const std::uint64_t body = length_size + text_.size();
  for_each_tensor([&](const Json& name, const Json& entry) {
    Tensor tensor = read_tensor(name, entry);
    tensor.offset += body;
    tensors_.push_back(tensor);
  });
}

/// Throws unless the tensors follow one another from the first byte to the last.
void SafetensorsHeader::check_layout() {
  std::sort(tensors_.begin(), tensors_.end(), [](const Tensor& a, const Tensor& b) {
    return std::tuple(a.offset, a.size()) < std::tuple(b.offset, b.size());
  });
  const std::uint64_t body = length_size + text_.size();
  std::uint64_t place = body;
  for (const Tensor& tensor : tensors_) {
    if (tensor.offset != place)
      throw ModelFileError(quoted(tensor) + " begins at byte " +
                           std::to_string(tensor.offset - body) + ", expected " +
                           std::to_string(place - body));
    place += tensor.size();
  }
  if (place != file_size_)
    throw ModelFileError(std::string(place > file_size_ ? "truncated" : "altered") +
                         ": the tensors have " + std::to_string(place - body) + " bytes, " +
                         std::to_string(file_size_ - body) + " are there");
}

std::string SafetensorsHeader::metadata(std::string_view name) const {
  return json_.at("__metadata__").at(name).string(name);
}

Tensor* SafetensorsHeader::find(std::string_view name) {
  const auto found = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const Tensor& tensor, std::string_view key) { return tensor.name < key; });
  return found == tensors_.end() || found->name != name ? nullptr : &*found;
}

std::string safetensors_header(const std::vector<std::pair<std::string, std::string>>& metadata,
                               std::vector<Tensor>& tensors) {
  JsonWriter json;
  json.begin_object();
  json.name("__metadata__");
  json.begin_object();
  for (const auto& [name, text] : metadata) json.member(name, text);
  json.end_object();
  std::uint64_t end = 0;
  for (Tensor& tensor : tensors) {
    tensor.offset = end;
    end += tensor.size();
    json.name(checked_name(tensor.name));
    json.begin_object();
    json.member("dtype", tensor.info().dtype);
    json.name("shape");
    json.begin_array();
    json.value(tensor.shape[0]);
    if (tensor.axes == 2) json.value(tensor.shape[1]);
    json.end_array();
    json.name("data_offsets");
    json.begin_array();
    json.value(static_cast<std::int64_t>(tensor.offset));
    json.value(static_cast<std::int64_t>(end));
    json.end_array();
    json.end_object();
  }
  json.end_object();
  std::string text = json.take();
  // The tensors begin at a multiple of eight bytes.
  text.append((length_size - text.size() % length_size) % length_size, ' ');
  if (text.size() > largest_header)
    throw Error("the model's description has " + std::to_string(text.size()) +
                " bytes; a model file holds at most " + std::to_string(largest_header));
  std::string header;
  for (std::size_t i = 0; i < length_size; ++i)
    header += static_cast<char>(text.size() >> (8 * i) & 0xffU);
  header += text;
  for (Tensor& tensor : tensors) tensor.offset += header.size();
  return header;
}

}  // namespace chainrule::model_file
