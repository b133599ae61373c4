// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "chainrule/error.hpp"

namespace chainrule::model_file {

/// The path that UTF-8 text names on Windows, and bytes elsewhere. Throws Error for one with a zero
/// byte, which would end it for the system.
inline std::filesystem::path native_path(const std::string& path) {
  if (path.find('\0') != std::string::npos)
    throw Error("the path holds a null character: '" + path.substr(0, path.find('\0')) + "\\0...'");
#ifdef _WIN32
  return std::filesystem::path(std::u8string(path.begin(), path.end()));
#else
  return path;
#endif
}

}  // namespace chainrule::model_file
