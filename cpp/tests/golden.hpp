// SPDX-License-Identifier: Apache-2.0
// The golden model files, and the data that they were trained on.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "chainrule/model_file.hpp"

namespace chainrule::testing {

inline std::string content_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline std::string golden(const std::string& name) {
  return content_of(std::string(CHAINRULE_GOLDEN) + "/" + name);
}

/// The numbers of a NumPy file, which follow its header.
template <class T>
std::vector<T> numpy_values(const std::string& name) {
  const std::string content = golden(name);
  const std::size_t begin = 10 + static_cast<unsigned char>(content.at(8)) +
                            256 * static_cast<std::size_t>(static_cast<unsigned char>(content[9]));
  std::vector<T> values((content.size() - begin) / sizeof(T));
  std::memcpy(values.data(), content.data() + begin, values.size() * sizeof(T));
  return values;
}

/// The data that the golden files were trained on, simple enough for any language.
struct GoldenData {
  static constexpr int64_t rows = 30, inputs = 6;

  GoldenData() {
    for (int64_t i = 0; i < rows; ++i) {
      labels.push_back(i % 3);
      for (int64_t j = 0; j < inputs; ++j)
        x.push_back(static_cast<double>((7 * i + 3 * j) % 11 - 5) / 8);
    }
  }

  std::vector<double> x;
  std::vector<int64_t> labels;
};

/// The description without the version of the library that wrote it, and the tensors.
inline std::string without_version(const std::string& content) {
  const std::string description = read_model_description(content);
  const std::size_t begin = description.find("\"network\"");
  uint64_t length = 0;
  std::memcpy(&length, content.data(), sizeof length);
  return description.substr(begin) + content.substr(8 + length);
}

struct TemporaryFile {
  TemporaryFile()
      : path((std::filesystem::temp_directory_path() /
              ("chainrule-model-" + std::to_string(std::random_device{}())))
                 .string()) {}
  ~TemporaryFile() { std::filesystem::remove(path); }
  std::string path;
};

}  // namespace chainrule::testing
