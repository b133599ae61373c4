// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"

namespace chainrule {

/// Writes `content` to a temporary name beside `path`, flushes it to the disk and renames it, so
/// that an interruption at any instant leaves the old file or the new one. A replaced file keeps
/// its permissions, which hold for the temporary file too, and a symbolic link stays one. What is
/// no regular file, such as a pipe, is written in place. `path` is UTF-8 on Windows. Throws
/// FileError when that fails, Error for a path with a null character; an existing file is untouched
/// then.
CHAINRULE_API void write_atomically(const std::string& path, std::string_view content);

}  // namespace chainrule
