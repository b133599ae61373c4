// SPDX-License-Identifier: Apache-2.0
#include "chainrule/error.hpp"

#include <system_error>

namespace chainrule {

FileError::FileError(const std::string& path_, int code_)
    : Error(path_ + ": " + std::generic_category().message(code_)), path(path_), code(code_) {}

}  // namespace chainrule
