// SPDX-License-Identifier: Apache-2.0
#include "chainrule/atomic_file.hpp"

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
#include <random>
#include <system_error>
#include <utility>

#include "chainrule/error.hpp"
#include "model_file/native_path.hpp"

namespace chainrule {
namespace {

namespace fs = std::filesystem;

#ifdef _WIN32
int open_file(const fs::path& path, int flags, int) {
  return _wopen(path.c_str(), flags | _O_WRONLY | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE);
}
int set_mode(int, int) { return 0; }  // which is but one bit there
std::ptrdiff_t write_some(int file, const char* data, std::size_t size) {
  return _write(file, data, static_cast<unsigned>(size));
}
int flush_to_disk(int file) { return _commit(file); }
int close_file(int file) { return _close(file); }
constexpr int exclusively = _O_CREAT | _O_EXCL;
constexpr int truncating = _O_TRUNC;

void flush_folder(const fs::path&) {}
#else
int open_file(const fs::path& path, int flags, int mode) {
  return ::open(path.c_str(), flags | O_WRONLY | O_CLOEXEC, static_cast<mode_t>(mode));
}
int set_mode(int file, int mode) { return ::fchmod(file, static_cast<mode_t>(mode)); }
std::ptrdiff_t write_some(int file, const char* data, std::size_t size) {
  return ::write(file, data, size);
}
int flush_to_disk(int file) { return ::fsync(file); }
int close_file(int file) { return ::close(file); }
constexpr int exclusively = O_CREAT | O_EXCL;
constexpr int truncating = O_TRUNC;

/// The new name is on the disk afterwards too, where the file system can do that for a folder.
void flush_folder(const fs::path& folder) {
  const int file = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}
#endif

[[noreturn]] void fail(const fs::path& path, int code) {
  const std::u8string name = path.u8string();
  throw FileError(std::string(name.begin(), name.end()), code);
}

void check(const fs::path& path, const std::error_code& error) {
  if (error) fail(path, error.default_error_condition().value());
}

constexpr int ordinary_mode = 0666;  // less what the process's mask takes away
constexpr int private_mode = 0600;   // until the mode of a file that is replaced is set

/// An open file; errors name `path`, whatever the file's own name.
class OpenFile {
 public:
  OpenFile(const fs::path& name, int flags, int mode, fs::path path)
      : path_(std::move(path)), file_(open_file(name, flags, mode)) {
    if (file_ < 0) fail(path_, errno);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { abandon(); }

  void write(std::string_view content) {
    // Some systems take no more than 2 GiB at once.
    constexpr std::size_t most = std::size_t{1} << 30;
    while (!content.empty()) {
      const std::ptrdiff_t written =
          write_some(file_, content.data(), std::min(content.size(), most));
      if (written < 0 && errno != EINTR) fail(path_, errno);
      if (written > 0) content.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void set_mode(int mode) {
    if (chainrule::set_mode(file_, mode) != 0) fail(path_, errno);
  }
  void flush() {
    if (flush_to_disk(file_) != 0) fail(path_, errno);
  }
  void close() {
    if (close_file(std::exchange(file_, -1)) != 0) fail(path_, errno);
  }
  void abandon() {
    if (file_ >= 0) close_file(std::exchange(file_, -1));
  }

 private:
  fs::path path_;
  int file_;
};

/// What a chain of symbolic links ends in.
fs::path link_target(const fs::path& path) {
  constexpr int longest_chain = 40;
  std::error_code error;
  fs::path target = path;
  for (int i = 0; fs::is_symlink(target, error); ++i) {
    if (i == longest_chain) fail(path, ELOOP);
    const fs::path next = fs::read_symlink(target, error);
    check(path, error);
    target = target.parent_path() / next;
  }
  return target;
}

/// Not made of the target's name, which may be as long as names can be.
fs::path temporary_name(const fs::path& target) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::random_device random;
  std::string name = ".chainrule-";
  for (int i = 0; i < 12; ++i) name += digits[random() % digits.size()];
  return target.parent_path() / (name + ".tmp");
}

/// A new file beside `target`, which is removed unless it takes the target's place.
class Temporary {
 public:
  /// Errors name `given`, which may be a link to the target.
  Temporary(const fs::path& target, int mode, const fs::path& given)
      : given_(given),
        target_(target),
        folder_(target.parent_path()),
        name_(temporary_name(target)),
        file_(name_, exclusively, mode, given) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    // Windows removes no open files.
    file_.abandon();
    std::error_code ignored;
    if (!renamed_) fs::remove(name_, ignored);
  }

  void write(std::string_view content) { file_.write(content); }

  void set_mode(int mode) { file_.set_mode(mode); }

  void replace_target() {
    file_.flush();
    file_.close();
    std::error_code error;
    fs::rename(name_, target_, error);
    check(given_, error);
    renamed_ = true;
    flush_folder(folder_);
  }

 private:
  fs::path given_;
  fs::path target_;
  fs::path folder_;
  fs::path name_;
  OpenFile file_;
  bool renamed_ = false;
};

}  // namespace

void write_atomically(const std::string& path, std::string_view content) {
  const fs::path given = model_file::native_path(path);
  const fs::path target = link_target(given);
  std::error_code error;
  const fs::file_status status = fs::status(target, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    OpenFile file(target, truncating, ordinary_mode, given);
    file.write(content);
    file.close();
    return;
  }
  const bool replaces = fs::exists(status);
  Temporary temporary(target, replaces ? private_mode : ordinary_mode, given);
  temporary.write(content);
  if (replaces) temporary.set_mode(static_cast<int>(status.permissions() & fs::perms::all));
  temporary.replace_target();
}

}  // namespace chainrule
