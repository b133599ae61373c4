// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

namespace chainrule::model_file {

/// The path that UTF-8 text names on Windows, and bytes elsewhere.
inline std::filesystem::path native_path(const std::string& path) {
#ifdef _WIN32
  return std::filesystem::path(std::u8string(path.begin(), path.end()));
#else
  return path;
#endif
}

}  // namespace chainrule::model_file
