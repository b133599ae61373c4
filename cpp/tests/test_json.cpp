// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "chainrule/error.hpp"
#include "model_file/json.hpp"
#include "model_file/json_writer.hpp"

namespace {

using chainrule::Error;
using chainrule::model_file::Json;
using chainrule::model_file::JsonWriter;

std::string nested(int depth) {
  const auto size = static_cast<std::size_t>(depth);
  return std::string(size, '[') + std::string(size, ']');
}

template <class T>
std::string written(T value) {
  JsonWriter json;
  json.value(value);
  return json.take();
}

}  // namespace

TEST_CASE("what RFC 8259 calls JSON is read") {
  for (const std::string text :
       {"null", " true ", "false", "0", "-0", "10", "-1.5e+10", "2E-3", "\"\"", "[]", "{}",
        "[ 1 , [ ] , { } ]", "{\"a\":{\"a\":[1,\"]}\"]}}", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"",
        "\"\\ud83d\\ude00\"", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \x7f\""}) {
    CAPTURE(text);
    CHECK_NOTHROW(Json::parse(text));
  }
}

TEST_CASE("what is not JSON is refused") {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, " "sv, "nul"sv, "nulll"sv, "True"sv, "NaN"sv, "-Infinity"sv, "01"sv, "+1"sv, "1."sv,
        ".5"sv, "1e"sv, "1e+"sv, "-"sv, "0x10"sv, "'a'"sv, "\"a"sv, "\"\\\""sv, "\"\\x\""sv,
        "\"\\u12g4\""sv, "\"\\u12\""sv, "\"\n\""sv, "\"\0\""sv, "[1"sv, "[1,]"sv, "[,1]"sv,
        "[1 2]"sv, "[1}"sv, "{"sv, "{\"a\"}"sv, "{\"a\":}"sv, "{a:1}"sv, "{\"a\":1,}"sv, "{1:1}"sv,
        "1 2"sv, "[] []"sv, "// 1"sv, "1\0"sv,
        "\xef\xbb\xbf"
        "1"sv,
        // Surrogates by themselves, and bytes that are not UTF-8.
        "\"\\ud83d\""sv, "\"\\ude00\\ud83d\""sv, "\"\\ud83dx\""sv, "\"\\ud83d\\u0041\""sv,
        "\"\xff\""sv, "\"\xc3\""sv, "\"\xc0\x80\""sv, "\"\xe0\x80\x80\""sv, "\"\xed\xa0\x80\""sv,
        "\"\xf4\x90\x80\x80\""sv, "\"\xf0\x9f\x98\""sv, "\"\x80\""sv}) {
    CAPTURE(std::string(text));
    CHECK_THROWS_AS(Json::parse(text), Error);
  }
}

TEST_CASE("nesting has a limit, and no length of it costs stack") {
  CHECK_NOTHROW(Json::parse(nested(Json::max_depth)));
  CHECK_THROWS_WITH_AS(Json::parse(nested(Json::max_depth + 1)),
                       "JSON is nested more than 64 levels deep", Error);
  CHECK_THROWS_AS(Json::parse(std::string(10'000'000, '[')), Error);
}

TEST_CASE("errors name the place") {
  CHECK_THROWS_WITH_AS(Json::parse("{\"a\": 1;"), "expected ',' or '}' at byte 7 of the JSON text",
                       Error);
}

TEST_CASE("members are found by their names, however these are written") {
  const Json json =
      Json::parse(R"( { "a" : [ 1 , "}" , { "b" : null } ] , "\u0062": true , "c":-2})");
  CHECK(json.at("a").text() == R"([ 1 , "}" , { "b" : null } ])");
  CHECK(json.at("b").boolean("b"));
  CHECK(json.at("c").integer("c") == -2);
  CHECK_FALSE(json.find("d"));
  CHECK_THROWS_WITH_AS(json.at("d"), "it lacks 'd'", Error);
  CHECK_THROWS_WITH_AS(Json::parse(R"({"a": 1, "\u0061": 2})").find("a"), "'a' is given twice",
                       Error);
  CHECK_THROWS_WITH_AS(Json::parse("[1]").at("a"), "the value must be an object, got [1]", Error);
  std::vector<std::string> elements;
  json.at("a").for_each_element(
      "a", [&](const Json& element) { elements.emplace_back(element.text()); });
  CHECK(elements == std::vector<std::string>{"1", "\"}\"", "{ \"b\" : null }"});
  int visited = 0;
  Json::parse("[ ]").for_each_element("list", [&](const Json&) { ++visited; });
  Json::parse("{ }").for_each_member("object", [&](const Json&, const Json&) { ++visited; });
  CHECK(visited == 0);
}

TEST_CASE("values of another type are refused by name") {
  const Json json = Json::parse(R"(["text", 1.0, 9223372036854775808, 1e999])");
  std::vector<Json> items;
  json.for_each_element("list", [&](const Json& item) { items.push_back(item); });
  CHECK_THROWS_WITH_AS(items[0].integer("steps"), "steps must be an integer, got \"text\"", Error);
  CHECK_THROWS_WITH_AS(items[1].integer("steps"), "steps must be an integer, got 1.0", Error);
  CHECK_THROWS_AS(items[2].integer("steps"), Error);
  CHECK_THROWS_AS(items[3].number("rate"), Error);
  CHECK_THROWS_WITH_AS(items[0].number("rate"), "rate must be a number, got \"text\"", Error);
  CHECK_THROWS_AS(items[0].boolean("flag"), Error);
  CHECK_THROWS_AS(items[1].string("name"), Error);
  CHECK_THROWS_AS(json.for_each_member("it", [](const Json&, const Json&) {}), Error);
  CHECK_THROWS_AS(items[0].for_each_element("it", [](const Json&) {}), Error);
}

TEST_CASE("integers and doubles come back exactly") {
  for (const std::int64_t number :
       {std::int64_t{0}, std::int64_t{-7}, std::numeric_limits<std::int64_t>::min(),
        std::numeric_limits<std::int64_t>::max()}) {
    CHECK(Json::parse(written(number)).integer("number") == number);
  }
  for (const double number : {0.0, -0.0, 1.0, 0.1, 1e-5, 1e-4, 123456.789, 1e15, 1e16, 1e22, 5e-324,
                              2.2250738585072014e-308, 1.7976931348623157e308, 0x1.fffffffffffffp-1,
                              -3.0000000000000004}) {
    const std::string text = written(number);
    CAPTURE(text);
    const double again = Json::parse(text).number("number");
    CHECK(again == number);
    CHECK(std::signbit(again) == std::signbit(number));
    CHECK_FALSE(Json::parse(text).is_integer());
  }
  // As Python's repr has them.
  CHECK(written(1.0) == "1.0");
  CHECK(written(0.1) == "0.1");
  CHECK(written(1e-4) == "0.0001");
  CHECK(written(1e-5) == "1e-05");
  CHECK(written(1e15) == "1000000000000000.0");
  CHECK(written(1e16) == "1e+16");
  CHECK(written(std::numeric_limits<double>::infinity()) == "null");
  CHECK(written(std::nan("")) == "null");
}

TEST_CASE("text is written in ASCII and comes back") {
  const std::string text = "\"\\/\b\f\n\r\t\x01\x7f \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
  const std::string json = written(std::string_view(text));
  CHECK(json == R"("\"\\/\b\f\n\r\t\u0001\u007f \u00e9\u20ac\ud83d\ude00")");
  CHECK(Json::parse(json).string("text") == text);
  CHECK_THROWS_AS(written("\xff"), Error);
}

TEST_CASE("objects and lists are written with commas between their parts") {
  JsonWriter json;
  json.begin_object();
  json.name("a");
  json.begin_array();
  json.value(std::int64_t{1});
  json.begin_array();
  json.end_array();
  json.null();
  json.end_array();
  json.name("b");
  json.begin_object();
  json.end_object();
  json.name("c");
  json.raw("[2]");
  json.member("d", "text");
  json.end_object();
  CHECK(json.take() == R"({"a": [1, [], null], "b": {}, "c": [2], "d": "text"})");
}
