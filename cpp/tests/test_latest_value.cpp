// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <stdexcept>

#include "engine/inference/latest_value.hpp"

namespace {

using chainrule::engine::LatestValue;

/// Items that know their number and how many were ever made.
struct Series {
  explicit Series(int first) : latest(make()) { publish(first); }

  std::unique_ptr<int> make() {
    ++made;
    return std::make_unique<int>(0);
  }
  void publish(int value) {
    latest.publish([&] { return make(); }, [&](int& item) { item = value; });
  }

  int made = 0;
  LatestValue<int> latest;
};

}  // namespace

TEST_CASE("a reader takes the latest item and keeps it until its next call") {
  Series series(1);
  LatestValue<int>::Reader reader(series.latest);
  const int& held = reader.acquire();
  CHECK(held == 1);
  series.publish(2);
  series.publish(3);
  CHECK(held == 1);
  CHECK(reader.acquire() == 3);
  CHECK(reader.acquire() == 3);
}

TEST_CASE("items are used again when no reader can still see them") {
  Series series(1);
  LatestValue<int>::Reader busy(series.latest);
  for (int i = 2; i < 100; ++i) {
    series.publish(i);
    CHECK(busy.acquire() == i);
  }
  const int with_one_reader = series.made;
  CHECK(with_one_reader <= 3);
  LatestValue<int>::Reader idle(series.latest);
  const int& held = idle.acquire();
  for (int i = 100; i < 200; ++i) {
    series.publish(i);
    CHECK(busy.acquire() == i);
    CHECK(held == 99);
  }
  CHECK(series.made <= with_one_reader + 1);
  CHECK(idle.acquire() == 199);
}

TEST_CASE("a reader that leaves pins nothing, and a new one starts with the latest") {
  Series series(1);
  std::optional<LatestValue<int>::Reader> reader;
  for (int i = 2; i < 100; ++i) {
    reader.emplace(series.latest);
    CHECK(reader->acquire() == i - 1);
    series.publish(i);
  }
  CHECK(series.made <= 3);
}

TEST_CASE("a failure while an item is filled reaches no reader") {
  Series series(1);
  LatestValue<int>::Reader reader(series.latest);
  const auto fail = [](int& item) {
    item = -1;
    throw std::runtime_error("no");
  };
  CHECK_THROWS_AS(series.latest.publish([&] { return series.make(); }, fail), std::runtime_error);
  CHECK(reader.acquire() == 1);
  LatestValue<int>::Reader late(series.latest);
  CHECK(late.acquire() == 1);
  series.publish(2);
  CHECK(reader.acquire() == 2);

  Series unread(1);
  CHECK_THROWS_AS(unread.latest.publish([&] { return unread.make(); }, fail), std::runtime_error);
  LatestValue<int>::Reader first(unread.latest);
  CHECK(first.acquire() == 1);
}
