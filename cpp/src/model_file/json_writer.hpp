// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace chainrule::model_file {

/// Puts a JSON text together, with ", " and ": " between its parts as Python's json.dumps has them.
class JsonWriter {
 public:
  void begin_object();
  void end_object();
  void begin_array();
  void end_array();
  void name(std::string_view name);

  void null() { raw("null"); }
  void value(bool value) { raw(value ? "true" : "false"); }
  void value(std::int64_t value);
  /// The shortest text that reads back as the same number; null for NaN and infinities.
  void value(double value);
  /// Written in ASCII, with escapes; throws Error unless the text is UTF-8.
  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  /// A value that is JSON already.
  void raw(std::string_view json);

  /// A member of an object: its name and its value.
  template <class V>
  void member(std::string_view name, const V& value) {
    this->name(name);
    this->value(value);
  }

  std::string take() { return std::move(text_); }

 private:
  void separate();
  void string(std::string_view text);

  std::string text_;
  bool first_ = true;
  bool named_ = false;
};

}  // namespace chainrule::model_file
