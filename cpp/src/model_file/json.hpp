// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace chainrule::model_file {

/// A value in a JSON text, which must outlive it. Values are places in the checked text and take no
/// memory of their own, so a hostile text cannot cost more than its length.
///
/// Getters throw Error for a value of another type; `what` is how the text names the value.
class Json {
 public:
  static constexpr int max_depth = 64;

  /// The value of a whole text; throws Error unless the text is JSON (RFC 8259) in UTF-8, nested at
  /// most `max_depth` levels deep.
  static Json parse(std::string_view text);

  bool is_null() const { return text_ == "null"; }
  bool is_string() const { return text_.front() == '"'; }
  bool is_array() const { return text_.front() == '['; }
  bool is_object() const { return text_.front() == '{'; }
  bool is_boolean() const { return text_.front() == 't' || text_.front() == 'f'; }
  bool is_number() const {
    return text_.front() == '-' || (text_.front() >= '0' && text_.front() <= '9');
  }
  /// Whether it is a number written without fraction and exponent.
  bool is_integer() const;

  bool boolean(std::string_view what) const;
  std::int64_t integer(std::string_view what) const;
  double number(std::string_view what) const;
  std::string string(std::string_view what) const;

  /// The value as it is written, without white space around it.
  std::string_view text() const { return text_; }
  /// The beginning of that, for an error's text.
  std::string excerpt() const;

  /// The member of an object; throws Error when it is missing or given twice, or if this is no
  /// object.
  Json at(std::string_view name) const;
  std::optional<Json> find(std::string_view name) const;

  /// Calls visit(Json name, Json value) for every member of an object; throws Error if it is none.
  template <class Visit>
  void for_each_member(std::string_view what, const Visit& visit) const {
    check_type(is_object(), what, "an object");
    for (Place place(text_); place.next();) {
      const Json name = place.value();
      place.skip(':');
      visit(name, place.value());
    }
  }

  /// Calls visit(Json value) for every element of an array; throws Error if it is none.
  template <class Visit>
  void for_each_element(std::string_view what, const Visit& visit) const {
    check_type(is_array(), what, "a list");
    for (Place place(text_); place.next();) visit(place.value());
  }

 private:
  /// Where one is in an object's or an array's text.
  class Place {
   public:
    explicit Place(std::string_view text) : text_(text) {}
    /// Moves to the next element; false at the end.
    bool next();
    /// The value that begins here; moves behind it.
    Json value();
    void skip(char symbol);

   private:
    void skip_space();

    std::string_view text_;
    std::size_t at_ = 0;
  };

  explicit Json(std::string_view text) : text_(text) {}
  void check_type(bool fits, std::string_view what, const char* expected) const;

  std::string_view text_;
};

}  // namespace chainrule::model_file
