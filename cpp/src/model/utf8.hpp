// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "chainrule/error.hpp"

namespace chainrule::model {

/// The code point that begins at `at`, which moves behind it; none where the text is not UTF-8.
inline std::optional<std::uint32_t> next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t first = byte(at);
  if (first < 0x80) {
    ++at;
    return first;
  }
  // Shorter forms of the same code point and surrogates are not UTF-8.
  const std::size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  constexpr std::uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  if (first < 0xc2 || first > 0xf4 || text.size() - at <= more) return std::nullopt;
  std::uint32_t code = first & (0x3fU >> more);
  for (std::size_t i = 1; i <= more; ++i) {
    if ((byte(at + i) & 0xc0U) != 0x80) return std::nullopt;
    code = code << 6 | (byte(at + i) & 0x3fU);
  }
  if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
    return std::nullopt;
  at += more + 1;
  return code;
}

/// Throws Error, which names `what`, unless it is UTF-8 without a 0 byte.
inline void check_text(const std::string& what, std::string_view name) {
  for (std::size_t at = 0; at < name.size();)
    if (!next_code_point(name, at)) throw Error(what + " must be UTF-8");
  if (name.find('\0') != std::string_view::npos) throw Error(what + " must not hold a 0 byte");
}

inline void append_utf8(std::string& text, std::uint32_t code) {
  const auto append = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    append(code);
    return;
  }
  if (code < 0x800) {
    append(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      append(0xe0 | code >> 12);
    } else {
      append(0xf0 | code >> 18);
      append(0x80 | (code >> 12 & 0x3f));
    }
    append(0x80 | (code >> 6 & 0x3f));
  }
  append(0x80 | (code & 0x3f));
}

}  // namespace chainrule::model
