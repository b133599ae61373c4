// SPDX-License-Identifier: Apache-2.0
#include "model_file/byte_source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <utility>

#include "chainrule/error.hpp"
#include "model_file/native_path.hpp"

namespace chainrule::model_file {
namespace {

class Bytes final : public ByteSource {
 public:
  explicit Bytes(std::string_view content) : content_(content) {}

  std::uint64_t size() const override { return content_.size(); }
  void read(std::uint64_t offset, void* to, std::size_t size) override {
    std::copy_n(content_.data() + offset, size, static_cast<char*>(to));
  }

 private:
  std::string_view content_;
};

#ifdef _WIN32
using Status = struct _stat64;
int open_file(const std::filesystem::path& path) {
  return _wopen(path.c_str(), _O_RDONLY | _O_BINARY | _O_NOINHERIT);
}
int status_of(int file, Status& status) { return _fstat64(file, &status); }
bool is_directory(const Status& status) { return (status.st_mode & _S_IFMT) == _S_IFDIR; }
bool is_regular(const Status& status) { return (status.st_mode & _S_IFMT) == _S_IFREG; }
std::ptrdiff_t read_some(int file, std::uint64_t offset, char* to, std::size_t size) {
  if (_lseeki64(file, static_cast<__int64>(offset), SEEK_SET) < 0) return -1;
  return _read(file, to, static_cast<unsigned>(size));
}
int close_file(int file) { return _close(file); }
#else
using Status = struct stat;
/// A pipe is opened without waiting for its other end.
int open_file(const std::filesystem::path& path) {
  return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}
int status_of(int file, Status& status) { return ::fstat(file, &status); }
bool is_directory(const Status& status) { return S_ISDIR(status.st_mode); }
bool is_regular(const Status& status) { return S_ISREG(status.st_mode); }
std::ptrdiff_t read_some(int file, std::uint64_t offset, char* to, std::size_t size) {
  return ::pread(file, to, size, static_cast<off_t>(offset));
}
int close_file(int file) { return ::close(file); }
#endif

/// A regular file as long as it was when it was opened.
class File final : public ByteSource {
 public:
  explicit File(const std::string& path) : path_(path), file_(open_file(native_path(path))) {
    if (file_ < 0) throw FileError(path_, errno);
    try {
      measure();
    } catch (...) {
      close_file(file_);
      throw;
    }
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() override { close_file(file_); }

  std::uint64_t size() const override { return size_; }
  void read(std::uint64_t offset, void* to, std::size_t size) override {
    // Some systems give no more than 2 GiB at once.
    constexpr std::size_t most = std::size_t{1} << 30;
    auto* place = static_cast<char*>(to);
    while (size > 0) {
      const std::ptrdiff_t got = read_some(file_, offset, place, std::min(size, most));
      if (got < 0 && errno != EINTR) throw FileError(path_, errno);
      if (got == 0) throw ModelFileError("truncated while it was read");
      if (got < 0) continue;
      place += got;
      offset += static_cast<std::uint64_t>(got);
      size -= static_cast<std::size_t>(got);
    }
  }

 private:
  void measure() {
    Status status{};
    if (status_of(file_, status) != 0) throw FileError(path_, errno);
    if (is_directory(status)) throw FileError(path_, EISDIR);
    // Others may have no end, or never begin.
    if (!is_regular(status)) throw ModelFileError("not a regular file but a device or a pipe");
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  std::string path_;
  int file_;
  std::uint64_t size_ = 0;
};

}  // namespace

std::unique_ptr<ByteSource> source_of(std::string_view content) {
  return std::make_unique<Bytes>(content);
}

std::unique_ptr<ByteSource> open_source(const std::string& path) {
  return std::make_unique<File>(path);
}

}  // namespace chainrule::model_file
