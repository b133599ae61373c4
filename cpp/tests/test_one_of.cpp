// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "chainrule/one_of.hpp"

namespace {

struct None {
  bool operator==(const None&) const = default;
};
struct Number {
  double value = 0.5;
  bool operator==(const Number&) const = default;
};
struct List {
  std::vector<int> value{1};
  bool operator==(const List&) const = default;
};
using Options = chainrule::OneOf<None, Number, List>;

}  // namespace

TEST_CASE("one of several structs holds the one that it was given last") {
  Options options;
  CHECK(options.index() == 0);
  CHECK(options.get_if<None>() != nullptr);
  CHECK(options.get_if<Number>() == nullptr);
  options = Number{2.0};
  CHECK(options.index() == 1);
  CHECK(options.get_if<Number>()->value == 2.0);
  CHECK(options.get_if<None>() == nullptr);
  options = List{{3, 4}};
  options.get_if<List>()->value.push_back(5);
  const Options copy = options;
  CHECK(copy.get_if<List>()->value == std::vector{3, 4, 5});
  CHECK(copy == options);
}

TEST_CASE("two are equal if they are the same struct with the same values") {
  CHECK(Options{} == Options{None{}});
  CHECK(Options{Number{}} == Options{Number{0.5}});
  CHECK_FALSE(Options{Number{}} == Options{Number{1.0}});
  CHECK_FALSE(Options{} == Options{Number{}});
  Options was_a_list = List{{7}};
  was_a_list = Number{};
  CHECK(was_a_list == Options{Number{}});
}

TEST_CASE("visit calls with the struct that it is") {
  std::string seen;
  const auto name = [&]<class T>(const T&) {
    seen += std::is_same_v<T, None> ? "none " : std::is_same_v<T, Number> ? "number " : "list ";
  };
  for (const Options& options : {Options{}, Options{List{}}, Options{Number{}}})
    options.visit(name);
  CHECK(seen == "none list number ");
  Options changed = Number{};
  changed.visit([](auto& one) {
    if constexpr (requires { one.value = 1.5; }) one.value = 1.5;
  });
  CHECK(changed.get_if<Number>()->value == 1.5);
}
