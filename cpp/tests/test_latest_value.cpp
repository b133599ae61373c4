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
  LatestValue<int>::Mailbox mailbox(series.latest);
  const int& held = mailbox.take();
  CHECK(held == 1);
  series.publish(2);
  series.publish(3);
  CHECK(held == 1);
  CHECK(mailbox.take() == 3);
  CHECK(mailbox.take() == 3);
}

TEST_CASE("items are used again when no reader can still see them") {
  Series series(1);
  LatestValue<int>::Mailbox busy(series.latest);
  for (int i = 2; i < 100; ++i) {
    series.publish(i);
    CHECK(busy.take() == i);
  }
  const int with_one_reader = series.made;
  CHECK(with_one_reader <= 3);
  LatestValue<int>::Mailbox idle(series.latest);
  const int& held = idle.take();
  for (int i = 100; i < 200; ++i) {
    series.publish(i);
    CHECK(busy.take() == i);
    CHECK(held == 99);
  }
  CHECK(series.made <= with_one_reader + 1);
  CHECK(idle.take() == 199);
}

TEST_CASE("a reader that leaves pins nothing, and a new one starts with the latest") {
  Series series(1);
  std::optional<LatestValue<int>::Mailbox> reader;
  for (int i = 2; i < 100; ++i) {
    reader.emplace(series.latest);
    CHECK(reader->take() == i - 1);
    series.publish(i);
  }
  CHECK(series.made <= 3);
}

TEST_CASE("a failure while an item is filled reaches no reader") {
  Series series(1);
  LatestValue<int>::Mailbox mailbox(series.latest);
  const auto fail = [](int& item) {
    item = -1;
    throw std::runtime_error("no");
  };
  CHECK_THROWS_AS(series.latest.publish([&] { return series.make(); }, fail), std::runtime_error);
  CHECK(mailbox.take() == 1);
  LatestValue<int>::Mailbox late(series.latest);
  CHECK(late.take() == 1);
  series.publish(2);
  CHECK(mailbox.take() == 2);

  Series unread(1);
  CHECK_THROWS_AS(unread.latest.publish([&] { return unread.make(); }, fail), std::runtime_error);
  LatestValue<int>::Mailbox first(unread.latest);
  CHECK(first.take() == 1);
}
