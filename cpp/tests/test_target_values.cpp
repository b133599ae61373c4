// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/trainer.hpp"
#include "networks.hpp"

using namespace chainrule;
using namespace chainrule::testing;

TEST_CASE("targets that a loss cannot compare are refused, as by Python") {
  using Kind = Loss::Kind;
  struct Case {
    Kind kind;
    std::vector<double> y;  // rows of two
    const char* text;
  };
  const std::vector<Case> cases{
      {Kind::binary_cross_entropy,
       {0, 1, 0.5, 1.25},
       "y[1, 1] = 1.25 is not a target of binary_cross_entropy: expected numbers in [0, 1]"},
      {Kind::binary_cross_entropy,
       {0, 1, -1, 1},
       "y[1, 0] = -1.0 is not a target of binary_cross_entropy: expected numbers in [0, 1]"},
      {Kind::poisson,
       {0, 1e20, 3, -2},
       "y[1, 1] = -2.0 is not a target of poisson: expected numbers, 0 or more"},
      {Kind::hinge,
       {-1, 1, 0, 1},
       "y[1, 0] = 0.0 is not a target of hinge: expected only -1 and 1, or only 0 and 1"},
      {Kind::hinge,
       {0, 1, 1, 2},
       "y[1, 1] = 2.0 is not a target of hinge: expected only -1 and 1, or only 0 and 1"},
      {Kind::cross_entropy,
       {0.5, 0.5, 1.5, -0.5},
       "y[1, 1] = -0.5 is negative: expected probabilities of the classes"},
      {Kind::cross_entropy,
       {0.5, 0.5, 0.75, 0.5},
       "y[1] sums to 1.25: expected probabilities of the classes, which sum to 1"},
      {Kind::cross_entropy,
       {0.5, 0.5, 0, 0},
       "y[1] sums to 0: expected probabilities of the classes, which sum to 1"}};
  const std::vector<float> x{1, 2, 3, 4};
  Network<float> network({Dense(2)}, 2, 0);
  const Snapshot<float> before(network);
  for (const Case& c : cases) {
    CAPTURE(c.text);
    Trainer<float> trainer(network, Loss::defaults(c.kind), optimizer(Optimizer::Kind::sgd, 0.1));
    const TargetsView y = targets(view(c.y.data(), 2, 2));
    // The same numbers apart from each other, and as compressed rows.
    const std::vector<double> apart{c.y[0], 9, c.y[1], 9, c.y[2], 9, c.y[3], 9};
    RowsView strided = view(apart.data(), 2, 2);
    strided.row_stride = 32;
    strided.column_stride = 16;
    CHECK_THROWS_WITH_AS(trainer.fit(view(x, 2), y), c.text, Error);
    CHECK_THROWS_WITH_AS(trainer.step(view(x, 2), y), c.text, Error);
    CHECK_THROWS_WITH_AS(trainer.evaluate(view(x, 2), y), c.text, Error);
    CHECK_THROWS_WITH_AS(trainer.fit(view(x, 2), targets(strided)), c.text, Error);
    if (std::string(c.text).find("= 0.0") == std::string::npos && c.kind != Kind::hinge) {
      const std::vector<std::int32_t> offsets{0, 2, 4}, indices{0, 1, 0, 1};
      RowsView stored{c.y.data(), DataType::float64, 2, 2, 0, 0};
      stored.offsets = offsets.data();
      stored.indices = indices.data();
      stored.stored = 4;
      CHECK_THROWS_WITH_AS(trainer.fit(view(x, 2), targets(stored)), c.text, Error);
    }
  }
  CHECK(Snapshot<float>(network) == before);
  const std::vector<double> sides{-1, 1, 1, -1};
  Trainer<float> trainer(network, Loss::defaults(Kind::hinge), optimizer(Optimizer::Kind::sgd, 1));
  CHECK_NOTHROW(trainer.fit(view(x, 2), targets(view(sides.data(), 2, 2))));
}

TEST_CASE("a target far along a wide row is found, whatever its type") {
  constexpr std::int64_t columns = 1000;
  Network<double> network({Dense(columns)}, 1, 0);
  const Loss loss = Loss::defaults(Loss::Kind::binary_cross_entropy);
  Trainer<double> trainer(network, loss, optimizer(Optimizer::Kind::sgd, 0.1));
  const std::vector<double> x(3, 1.0);
  const auto check = [&](auto one, const char* shown) {
    std::vector<decltype(one)> y(3 * columns, one);
    y[1999] = static_cast<decltype(one)>(3);
    const std::string text = std::string("y[1, 999] = ") + shown;
    CHECK_THROWS_WITH_AS(trainer.fit(view(x, 1), targets(view(y.data(), 3, columns))),
                         doctest::Contains(text.c_str()), Error);
  };
  check(std::uint8_t{1}, "3 is");
  check(1.0f, "3.0 is");
  check(1.0, "3.0 is");
}

TEST_CASE("names of columns take the place of numbers in the texts of errors") {
  const std::vector<std::string> names{"age", "size"};
  const std::vector<float> x{0, 1, 2, std::numeric_limits<float>::infinity()}, y{0, 1, 0, 7};
  CHECK_THROWS_WITH_AS(check_finite<float>(view(x, 2), "x", names),
                       "x must be finite; row 1, column 'size' is infinite", Error);
  CHECK_THROWS_WITH_AS(
      check_targets<float>(targets(view(y, 2)), Loss::defaults(Loss::Kind::binary_cross_entropy),
                           "y", names),
      "y[1, 'size'] = 7.0 is not a target of binary_cross_entropy: expected numbers in [0, 1]",
      Error);
  const std::vector<double> large{0, 1e300};
  CHECK_THROWS_WITH_AS(check_finite<float>(view(large, 2), "x"),
                       "x must be finite; row 0, column 1 is 1e+300, too large for float32", Error);
}

TEST_CASE("the first label that is none of the classes' is found") {
  const auto first = [](const std::vector<std::int64_t>& labels) {
    return first_wrong_label(labels.data(), static_cast<std::int64_t>(labels.size()), 3);
  };
  CHECK(first({0, 2, 1}) == -1);
  CHECK(first({0, 2, 3, -1}) == 2);
  CHECK(first({std::numeric_limits<std::int64_t>::min(), 0}) == 0);
  CHECK(first({}) == -1);
}
