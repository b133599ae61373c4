// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace chainrule::model_file {

/// Throws Error unless the text is JSON (RFC 8259) in UTF-8, nested at most `max_depth` levels.
void check_json(std::string_view text, int max_depth);

inline bool is_json_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/// The number that four hexadecimal digits stand for, or -1.
std::int32_t four_hex_digits(std::string_view digits);

}  // namespace chainrule::model_file
