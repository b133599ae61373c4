// SPDX-License-Identifier: Apache-2.0
#include "model_file/json.hpp"

#include <algorithm>
#include <charconv>
#include <locale>
#include <sstream>
#include <system_error>

#include "chainrule/error.hpp"
#include "model/utf8.hpp"
#include "model_file/json_syntax.hpp"

namespace chainrule::model_file {
namespace {

/// The place behind the string that begins at `at` of a checked text.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (++at; text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return at + 1;
}

/// The place behind the value that begins at `at` of a checked text.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  int depth = 0;
  do {
    const char c = text[at];
    if (c == '"') {
      at = end_of_string(text, at);
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at;
    } else if (c == '}' || c == ']') {
      --depth;
      ++at;
    } else if (c == ',' || c == ':' || is_json_space(c)) {
      ++at;
    } else {
      while (at < text.size() &&
             std::string_view(",:]} \n\r\t").find(text[at]) == std::string_view::npos)
        ++at;
    }
  } while (depth > 0);
  return at;
}

/// What a checked string between its quotes stands for.
std::string unescaped(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      const std::size_t next = std::min(text.find('\\', at), text.size());
      result += text.substr(at, next - at);
      at = next;
      continue;
    }
    const char c = text[at + 1];
    if (c == 'u') {
      auto code = static_cast<std::uint32_t>(four_hex_digits(text.substr(at + 2, 4)));
      at += 6;
      if (code >= 0xd800 && code < 0xe000) {
        const auto low = static_cast<std::uint32_t>(four_hex_digits(text.substr(at + 2, 4)));
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
      }
      model::append_utf8(result, code);
    } else {
      constexpr std::string_view letters = "bfnrt";
      const std::size_t letter = letters.find(c);
      result += letter == std::string_view::npos ? c : "\b\f\n\r\t"[letter];
      at += 2;
    }
  }
  return result;
}

}  // namespace

Json Json::parse(std::string_view text) {
  check_json(text, max_depth);
  while (is_json_space(text.front())) text.remove_prefix(1);
  while (is_json_space(text.back())) text.remove_suffix(1);
  return Json(text);
}

bool Json::is_integer() const {
  return is_number() && text_.find_first_of(".eE") == std::string_view::npos;
}

void Json::check_type(bool fits, std::string_view what, const char* expected) const {
  if (!fits) throw Error(std::string(what) + " must be " + expected + ", got " + excerpt());
}

std::string Json::excerpt() const {
  constexpr std::size_t longest = 40;
  if (text_.size() <= longest) return std::string(text_);
  // A cut must not fall inside of a character.
  std::size_t end = longest;
  while ((static_cast<unsigned char>(text_[end]) & 0xc0U) == 0x80) --end;
  return std::string(text_.substr(0, end)) + "...";
}

bool Json::boolean(std::string_view what) const {
  check_type(is_boolean(), what, "true or false");
  return text_ == "true";
}

std::int64_t Json::integer(std::string_view what) const {
  check_type(is_integer(), what, "an integer");
  std::int64_t number = 0;
  const auto read = std::from_chars(text_.data(), text_.data() + text_.size(), number);
  check_type(read.ec == std::errc(), what, "an integer of 64 bits");
  return number;
}

double Json::number(std::string_view what) const {
  check_type(is_number(), what, "a number");
  double number = 0.0;
#ifdef __cpp_lib_to_chars
  const bool fits =
      std::from_chars(text_.data(), text_.data() + text_.size(), number).ec == std::errc();
#else
  std::istringstream in{std::string(text_)};
  in.imbue(std::locale::classic());
  const bool fits = static_cast<bool>(in >> number);
#endif
  check_type(fits, what, "a number in the range of double precision");
  return number;
}

std::string Json::string(std::string_view what) const {
  check_type(is_string(), what, "text");
  return unescaped(text_.substr(1, text_.size() - 2));
}

std::optional<Json> Json::find(std::string_view name) const {
  std::optional<Json> found;
  for_each_member("the value", [&](const Json& key, const Json& value) {
    const std::string_view raw = key.text_.substr(1, key.text_.size() - 2);
    const bool plain = raw.find('\\') == std::string_view::npos;
    if (plain ? raw != name : unescaped(raw) != name) return;
    if (found) throw Error("'" + std::string(name) + "' is given twice");
    found = value;
  });
  return found;
}

Json Json::at(std::string_view name) const {
  const std::optional<Json> found = find(name);
  if (!found) throw Error("it lacks '" + std::string(name) + "'");
  return *found;
}

bool Json::Place::next() {
  if (at_ > 0) skip_space();
  const auto closes = [](char c) { return c == ']' || c == '}'; };
  // Here is the opening bracket, a comma or the closing one.
  if (closes(text_[at_++])) return false;
  skip_space();
  return !closes(text_[at_]);
}

Json Json::Place::value() {
  skip_space();
  const std::size_t begin = at_;
  at_ = end_of_value(text_, at_);
  return Json(text_.substr(begin, at_ - begin));
}

void Json::Place::skip(char symbol) {
  skip_space();
  if (text_[at_] == symbol) ++at_;
}

void Json::Place::skip_space() {
  while (at_ < text_.size() && is_json_space(text_[at_])) ++at_;
}

}  // namespace chainrule::model_file
