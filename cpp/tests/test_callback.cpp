// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "chainrule/callback.hpp"

using chainrule::Callback;

TEST_CASE("a callback calls what it was made from") {
  Callback<int(int, const std::string&)> callback;
  CHECK_FALSE(callback);
  callback = [](int times, const std::string& text) {
    return times * static_cast<int>(text.size());
  };
  REQUIRE(callback);
  CHECK(callback(3, "ab") == 6);
  int sum = 0;
  const Callback<void(int)> adder = [&sum](int value) { sum += value; };
  adder(2);
  adder(3);
  CHECK(sum == 5);
  callback = {};
  CHECK_FALSE(callback);
}

TEST_CASE("copies of a callback have their own state, and what they hold is destroyed") {
  const auto held = std::make_shared<int>(0);
  {
    const Callback<int()> first = [held, calls = 0]() mutable { return ++calls; };
    CHECK(first() == 1);
    Callback<int()> second = first;
    CHECK(held.use_count() == 3);
    CHECK(first() == 2);
    CHECK(second() == 2);
    const Callback<int()> third = std::move(second);
    CHECK(third() == 3);
    CHECK(held.use_count() == 3);
    second = third;
    second = *&second;  // which it must survive
    CHECK(second() == 4);
    CHECK(held.use_count() == 4);
  }
  CHECK(held.use_count() == 1);
}

TEST_CASE("a callback made of no function is empty") {
  const Callback<int(int)> of_pointer = static_cast<int (*)(int)>(nullptr);
  CHECK_FALSE(of_pointer);
  std::function<int(int)> maybe;
  CHECK_FALSE(Callback<int(int)>(maybe));
  maybe = [](int x) { return x + 1; };
  const Callback<int(int)> of_function = maybe;
  REQUIRE(of_function);
  CHECK(of_function(1) == 2);
  CHECK_FALSE(Callback<int(int)>(Callback<int(long)>()));  // of another signature
}
