// SPDX-License-Identifier: Apache-2.0
#include "c_api/options.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "chainrule/error.hpp"

namespace chainrule::c_api {
namespace {

// More than any structure will ever have; beyond it struct_size was not set at all.
constexpr std::size_t longest_options = 4096;

std::size_t size_of(const void* structure) {
  std::size_t size = 0;
  std::memcpy(&size, structure, sizeof size);
  return size;
}

}  // namespace

void check_size(const void* structure, std::size_t least, const char* name) {
  require_non_null(structure, name);
  const std::size_t size = size_of(structure);
  if (size >= least && size <= longest_options) return;
  throw Error(std::string(name) + ".struct_size is " + std::to_string(size) + ", expected " +
              std::to_string(least) + " or a little more: set it to the sizeof of the structure");
}

void read(const void* from, void* to, std::size_t size, const char* name) {
  const std::size_t given = size_of(from);
  std::memcpy(to, from, std::min(given, size));
  const auto* bytes = static_cast<const unsigned char*>(from);
  for (std::size_t at = size; at < given; ++at) {
    if (bytes[at] == 0) continue;
    throw Error(std::string(name) + " sets a member that chainrule " + version() +
                " does not know: struct_size is " + std::to_string(given) + ", known are " +
                std::to_string(size));
  }
}

void write(const void* from, void* to, std::size_t size) {
  const std::size_t given = size_of(to);
  std::memcpy(static_cast<unsigned char*>(to) + sizeof given,
              static_cast<const unsigned char*>(from) + sizeof given,
              std::min(given, size) - sizeof given);
}

void require_non_null(const void* pointer, const char* name) {
  if (pointer == nullptr) throw Error(std::string(name) + " is NULL");
}

std::string_view text(const char* given, const char* name) {
  require_non_null(given, name);
  return given;
}

int thread_count(std::int64_t given) {
  if (given < 0 || given > std::numeric_limits<int>::max())
    throw Error("num_threads is " + std::to_string(given) +
                (given < 0 ? ", expected 0 or more" : ", more than 2147483647"));
  return static_cast<int>(given);
}

}  // namespace chainrule::c_api
