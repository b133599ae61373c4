// SPDX-License-Identifier: Apache-2.0
#include "model_file/json_syntax.hpp"

#include <cstddef>
#include <string>

#include "chainrule/error.hpp"
#include "model/utf8.hpp"

namespace chainrule::model_file {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class SyntaxCheck {
 public:
  SyntaxCheck(std::string_view text, int max_depth) : text_(text), max_depth_(max_depth) {}

  void run() {
    value(0);
    space();
    if (at_ < text_.size()) fail("the end of the text");
  }

 private:
  /// Recursion is as deep as max_depth_ lets it be.
  void value(int depth) {
    space();
    const char c = peek();
    if (c == '{' || c == '[') {
      if (depth == max_depth_)
        throw Error("JSON is nested more than " + std::to_string(max_depth_) + " levels deep");
      collection(c == '{', depth + 1);
    } else if (c == '"') {
      string();
    } else if (c == '-' || is_digit(c)) {
      number();
    } else {
      literal(c);
    }
  }

  void collection(bool object, int depth) {
    const char end = object ? '}' : ']';
    ++at_;
    space();
    if (take(end)) return;
    do {
      if (object) {
        space();
        if (peek() != '"') fail("a name");
        string();
        space();
        if (!take(':')) fail("':'");
      }
      value(depth);
      space();
    } while (take(','));
    if (!take(end)) fail(object ? "',' or '}'" : "',' or ']'");
  }

  void string() {
    ++at_;
    while (true) {
      const char c = peek();
      if (c == '"') break;
      if (c == '\\') {
        escape();
      } else if (static_cast<unsigned char>(c) < 0x20) {
        fail("a character or '\"'");
      } else if (!model::next_code_point(text_, at_)) {
        fail("UTF-8");
      }
    }
    ++at_;
  }

  void escape() {
    ++at_;
    const char c = peek();
    if (c != 'u') {
      if (std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos || c == '\0')
        fail("an escape sequence");
      ++at_;
      return;
    }
    const std::int32_t unit = hex();
    if (unit < 0xd800 || unit >= 0xe000) return;
    const bool paired = unit < 0xdc00 && text_.substr(at_, 2) == "\\u";
    if (paired) ++at_;
    const std::int32_t low = paired ? hex() : 0;
    if (low < 0xdc00 || low >= 0xe000) fail("a pair of surrogates");
  }

  std::int32_t hex() {
    ++at_;
    const std::int32_t unit = four_hex_digits(text_.substr(at_, 4));
    if (unit < 0) fail("four hexadecimal digits");
    at_ += 4;
    return unit;
  }

  void number() {
    take('-');
    if (!take('0')) digits();
    if (take('.')) digits();
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      digits();
    }
  }

  void digits() {
    if (!is_digit(peek())) fail("a digit");
    while (is_digit(peek())) ++at_;
  }

  void literal(char first) {
    const std::string_view word = first == 't' ? "true" : first == 'f' ? "false" : "null";
    if (text_.substr(at_, word.size()) != word) fail("a value");
    at_ += word.size();
  }

  void space() {
    while (is_json_space(peek())) ++at_;
  }

  /// NUL, which is no part of JSON, stands for the end as well.
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }

  [[noreturn]] void fail(const char* expected) const {
    throw Error(std::string("expected ") + expected + " at byte " + std::to_string(at_) +
                " of the JSON text");
  }

  std::string_view text_;
  int max_depth_;
  std::size_t at_ = 0;
};

}  // namespace

void check_json(std::string_view text, int max_depth) { SyntaxCheck(text, max_depth).run(); }

std::int32_t four_hex_digits(std::string_view digits) {
  if (digits.size() != 4) return -1;
  std::int32_t number = 0;
  for (const char c : digits) {
    const std::int32_t digit = is_digit(c)              ? c - '0'
                               : (c >= 'a' && c <= 'f') ? c - 'a' + 10
                               : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                                        : -1;
    if (digit < 0) return -1;
    number = number * 16 + digit;
  }
  return number;
}

}  // namespace chainrule::model_file
