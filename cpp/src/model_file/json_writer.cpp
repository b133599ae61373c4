// SPDX-License-Identifier: Apache-2.0
#include "model_file/json_writer.hpp"

#include <cmath>
#include <cstddef>
#include <optional>

#include "chainrule/error.hpp"
#include "model/number_text.hpp"
#include "model/utf8.hpp"

namespace chainrule::model_file {
namespace {

void append_escape(std::string& text, std::uint32_t unit) {
  constexpr std::string_view digits = "0123456789abcdef";
  text += "\\u";
  for (const int shift : {12, 8, 4, 0}) text += digits[unit >> shift & 0xfU];
}

}  // namespace

void JsonWriter::begin_object() {
  separate();
  text_ += '{';
  first_ = true;
}

void JsonWriter::end_object() {
  text_ += '}';
  first_ = false;
}

void JsonWriter::begin_array() {
  separate();
  text_ += '[';
  first_ = true;
}

void JsonWriter::end_array() {
  text_ += ']';
  first_ = false;
}

void JsonWriter::name(std::string_view name) {
  separate();
  string(name);
  text_ += ": ";
  named_ = true;
}

void JsonWriter::value(std::int64_t value) { raw(std::to_string(value)); }

void JsonWriter::value(double value) {
  raw(std::isfinite(value) ? model::number_text(value) : "null");
}

void JsonWriter::value(std::string_view text) {
  separate();
  string(text);
}

void JsonWriter::raw(std::string_view json) {
  separate();
  text_ += json;
}

void JsonWriter::separate() {
  if (!first_ && !named_) text_ += ", ";
  first_ = false;
  named_ = false;
}

void JsonWriter::string(std::string_view text) {
  text_ += '"';
  for (std::size_t at = 0; at < text.size();) {
    const std::optional<std::uint32_t> code = model::next_code_point(text, at);
    if (!code) throw Error("a name in the model is not UTF-8, at its byte " + std::to_string(at));
    constexpr std::string_view special = "\"\\\b\f\n\r\t";
    const std::size_t found =
        *code < 0x80 ? special.find(static_cast<char>(*code)) : std::string_view::npos;
    if (found != std::string_view::npos) {
      text_ += '\\';
      text_ += "\"\\bfnrt"[found];
    } else if (*code >= 0x20 && *code < 0x7f) {
      text_ += static_cast<char>(*code);
    } else if (*code < 0x10000) {
      append_escape(text_, *code);
    } else {
      append_escape(text_, 0xd800 + ((*code - 0x10000) >> 10));
      append_escape(text_, 0xdc00 + ((*code - 0x10000) & 0x3ff));
    }
  }
  text_ += '"';
}

}  // namespace chainrule::model_file
