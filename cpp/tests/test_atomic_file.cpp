// SPDX-License-Identifier: Apache-2.0
// The C library's functions that write files are replaced by ones that fail when they are told to.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "chainrule/atomic_file.hpp"
#include "chainrule/error.hpp"

namespace {

enum class Step { none, write, flush, rename };
Step failing = Step::none;
int flushed = 0;
std::size_t most_written = 0;  // at a time; 0: all
int interruptions = 0;
int seen_mode = -1;  // of the file that was written to last

bool fails(Step step) {
  if (failing != step) return false;
  errno = ENOSPC;
  return true;
}

}  // namespace

extern "C" {

int fsync(int file) {
  if (fails(Step::flush)) return -1;
  ++flushed;
  return static_cast<int>(syscall(SYS_fsync, file));
}

ssize_t write(int file, const void* data, std::size_t size) {
  if (fails(Step::write)) return -1;
  if (interruptions > 0) {
    --interruptions;
    errno = EINTR;
    return -1;
  }
  if (most_written > 0 && size > most_written) size = most_written;
  struct stat status{};
  if (fstat(file, &status) == 0) seen_mode = static_cast<int>(status.st_mode & 07777U);
  return syscall(SYS_write, file, data, size);
}

int rename(const char* from, const char* to) noexcept {
  if (fails(Step::rename)) return -1;
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

}  // extern "C"

namespace {

namespace fs = std::filesystem;
using chainrule::FileError;
using chainrule::write_atomically;

struct Folder {
  Folder() : path(fs::temp_directory_path() / ("chainrule-files-" + std::to_string(getpid()))) {
    fs::create_directory(path);
  }
  ~Folder() { fs::remove_all(path); }
  std::string file(const char* name) const { return (path / name).string(); }
  int count() const {
    int files = 0;
    for (const auto& entry : fs::directory_iterator(path)) files += entry.exists() ? 1 : 0;
    return files;
  }
  fs::path path;
};

std::string content_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

TEST_CASE("whatever fails, the old file stays and nothing else is left") {
  for (const Step step : {Step::write, Step::flush, Step::rename}) {
    for (const bool existing : {true, false}) {
      CAPTURE(static_cast<int>(step));
      const Folder folder;
      const std::string path = folder.file("model");
      if (existing) write_atomically(path, "old");
      failing = step;
      try {
        write_atomically(path, "new");
        FAIL("the disk is full");
      } catch (const FileError& error) {
        CHECK(error.code == ENOSPC);
        CHECK(error.path == path);
      }
      failing = Step::none;
      CHECK(folder.count() == (existing ? 1 : 0));
      if (existing) CHECK(content_of(path) == "old");
      write_atomically(path, "new");
      CHECK(content_of(path) == "new");
      CHECK(folder.count() == 1);
    }
  }
}

TEST_CASE("the file and its folder are flushed") {
  const Folder folder;
  flushed = 0;
  write_atomically(folder.file("model"), "content");
  CHECK(flushed == 2);
}

TEST_CASE("short and interrupted writes go on") {
  const Folder folder;
  most_written = 7;
  interruptions = 3;
  const std::string content = "some sentence that is longer than seven bytes";
  write_atomically(folder.file("model"), content);
  most_written = 0;
  CHECK(interruptions == 0);
  CHECK(content_of(folder.file("model")) == content);
}

TEST_CASE("names are relative to the working folder, and links stay links") {
  const Folder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path);
  write_atomically("model", "first");
  fs::create_symlink("model", "link");
  fs::create_symlink("missing", "dangling");
  write_atomically("link", "second");
  write_atomically("dangling", "third");
  fs::current_path(before);
  CHECK(fs::is_symlink(folder.path / "link"));
  CHECK(content_of(folder.file("model")) == "second");
  CHECK(fs::is_symlink(folder.path / "dangling"));
  CHECK(content_of(folder.file("missing")) == "third");
}

TEST_CASE("a folder is no file") {
  const Folder folder;
  CHECK_THROWS_AS(write_atomically(folder.path.string(), "content"), FileError);
  CHECK_THROWS_AS(write_atomically(folder.file("missing/model"), "content"), FileError);
  CHECK(folder.count() == 0);
}

TEST_CASE("what replaces a private file is private from the beginning") {
  const Folder folder;
  const std::string path = folder.file("model");
  write_atomically(path, "old");
  for (const int mode : {0600, 0640, 0444}) {
    fs::permissions(path, static_cast<fs::perms>(mode));
    seen_mode = -1;
    write_atomically(path, "new");
    CHECK(seen_mode == 0600);
    CHECK(static_cast<int>(fs::status(path).permissions()) == mode);
  }
}

TEST_CASE("any name that a file can have can be written") {
  const Folder folder;
  for (const std::size_t length : {1, 237, 238, 250, 255}) {
    CAPTURE(length);
    const std::string path = folder.file(std::string(length, 'm').c_str());
    write_atomically(path, "content");
    CHECK(content_of(path) == "content");
  }
  try {
    write_atomically(folder.file(std::string(256, 'm').c_str()), "content");
    FAIL("names have at most 255 bytes");
  } catch (const FileError& error) {
    CHECK(error.code == ENAMETOOLONG);
  }
}

TEST_CASE("links that lead nowhere are no files") {
  const Folder folder;
  const auto code = [&](const char* name) {
    try {
      write_atomically(folder.file(name), "content");
    } catch (const FileError& error) {
      CHECK(error.path == folder.file(name));
      return error.code;
    }
    return 0;
  };
  fs::create_symlink("self", folder.path / "self");
  fs::create_symlink("pong", folder.path / "ping");
  fs::create_symlink("ping", folder.path / "pong");
  fs::create_symlink("/", folder.path / "root");
  CHECK(code("self") == ELOOP);
  CHECK(code("ping") == ELOOP);
  CHECK(code("root") == EISDIR);
  CHECK(fs::is_symlink(folder.path / "self"));
}

TEST_CASE("a path ends where it ends") {
  const Folder folder;
  CHECK_THROWS_WITH_AS(write_atomically(folder.file("m") + std::string("\0x", 2), "content"),
                       doctest::Contains("null character"), chainrule::Error);
  CHECK(folder.count() == 0);
}
