// SPDX-License-Identifier: Apache-2.0
#include "model_file/byte_source.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "chainrule/error.hpp"
#include "model_file/native_path.hpp"

namespace chainrule::model_file {
namespace {

class Bytes final : public ByteSource {
 public:
  explicit Bytes(std::string_view content) : content_(content) {}
  explicit Bytes(std::string owned) : owned_(std::move(owned)), content_(owned_) {}

  std::uint64_t size() const override { return content_.size(); }
  void read(std::uint64_t offset, void* to, std::size_t size) override {
    std::copy_n(content_.data() + offset, size, static_cast<char*>(to));
  }

 private:
  std::string owned_;
  std::string_view content_;
};

class File final : public ByteSource {
 public:
  File(std::string path, std::ifstream stream, std::uint64_t size)
      : path_(std::move(path)), stream_(std::move(stream)), size_(size) {}

  std::uint64_t size() const override { return size_; }
  void read(std::uint64_t offset, void* to, std::size_t size) override {
    errno = 0;
    stream_.clear();
    stream_.seekg(static_cast<std::streamoff>(offset));
    stream_.read(static_cast<char*>(to), static_cast<std::streamsize>(size));
    if (stream_) return;
    if (errno != 0) throw FileError(path_, errno);
    throw ModelFileError("truncated while it was read");
  }

 private:
  std::string path_;
  std::ifstream stream_;
  std::uint64_t size_;
};

}  // namespace

std::unique_ptr<ByteSource> source_of(std::string_view content) {
  return std::make_unique<Bytes>(content);
}

std::unique_ptr<ByteSource> open_source(const std::string& path) {
  const std::filesystem::path name = native_path(path);
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(name, error);
  if (status.type() == std::filesystem::file_type::directory) throw FileError(path, EISDIR);
  if (!std::filesystem::exists(status))
    throw FileError(path, error ? error.default_error_condition().value() : ENOENT);
  errno = 0;
  std::ifstream stream(name, std::ios::binary);
  if (!stream) throw FileError(path, errno != 0 ? errno : EIO);
  if (!std::filesystem::is_regular_file(status))
    return std::make_unique<Bytes>(std::string(std::istreambuf_iterator<char>(stream), {}));
  const auto size = std::filesystem::file_size(name, error);
  if (error) throw FileError(path, error.default_error_condition().value());
  return std::make_unique<File>(path, std::move(stream), size);
}

}  // namespace chainrule::model_file
