// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/initializer.hpp"
#include "chainrule/random.hpp"

using chainrule::Activation;
using chainrule::Config;
using chainrule::Error;
using chainrule::Initializer;

namespace {

std::vector<double> filled(const Initializer& initializer, std::int64_t rows, std::int64_t columns,
                           std::uint64_t seed = 1, std::uint64_t stream = 0) {
  std::vector<double> values(static_cast<std::size_t>(rows * columns),
                             std::numeric_limits<double>::quiet_NaN());
  initializer.fill(values.data(), rows, columns, seed, stream);
  return values;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double mean_square_of(std::vector<double> values) {
  for (double& value : values) value *= value;
  return mean_of(values);
}

double largest_of(const std::vector<double>& values) {
  double largest = 0.0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

Initializer named(const std::string& kind) { return Initializer::from_config({kind, {}}); }

}  // namespace

TEST_CASE("scaled initializers have their published spread for fan_in 300 and fan_out 100") {
  struct Expected {
    const char* kind;
    double variance;
    bool uniform;
  };
  for (const Expected expected : {Expected{"glorot_uniform", 2.0 / 400, true},
                                  {"glorot_normal", 2.0 / 400, false},
                                  {"he_uniform", 2.0 / 300, true},
                                  {"he_normal", 2.0 / 300, false},
                                  {"lecun_uniform", 1.0 / 300, true},
                                  {"lecun_normal", 1.0 / 300, false}}) {
    CAPTURE(expected.kind);
    const auto values = filled(named(expected.kind), 300, 100);
    const double n = static_cast<double>(values.size());
    const double kurtosis = expected.uniform ? 9.0 / 5.0 : 3.0;
    CHECK(std::abs(mean_of(values)) < 5 * std::sqrt(expected.variance / n));
    CHECK(std::abs(mean_square_of(values) / expected.variance - 1.0) <
          5 * std::sqrt((kurtosis - 1.0) / n));
    const double bound = std::sqrt(3.0 * expected.variance);
    if (expected.uniform) {
      CHECK(largest_of(values) <= bound);
      CHECK(largest_of(values) > 0.99 * bound);
    } else {
      CHECK(largest_of(values) > 3.0 * std::sqrt(expected.variance));
    }
  }
}

TEST_CASE("unscaled initializers take their options") {
  CHECK(filled(named("zeros"), 2, 3) == std::vector<double>(6, 0.0));
  CHECK(filled(named("constant"), 1, 2) == std::vector<double>(2, 0.0));
  CHECK(filled(Initializer::from_config({"constant", {{"value", -2.5}}}), 1, 4) ==
        std::vector<double>(4, -2.5));

  const auto uniform = filled(
      Initializer::from_config({"uniform", {{"low", std::int64_t{2}}, {"high", 3.0}}}), 100, 100);
  CHECK(*std::min_element(uniform.begin(), uniform.end()) >= 2.0);
  CHECK(*std::max_element(uniform.begin(), uniform.end()) < 3.0);
  CHECK(mean_of(uniform) == doctest::Approx(2.5).epsilon(0.01));
  CHECK(largest_of(filled(named("uniform"), 100, 100)) <= 0.05);

  auto normal = filled(
      Initializer::from_config({"normal", {{"mean", 4.0}, {"standard_deviation", 0.5}}}), 100, 100);
  CHECK(mean_of(normal) == doctest::Approx(4.0).epsilon(0.01));
  for (double& value : normal) value -= 4.0;
  CHECK(mean_square_of(normal) == doctest::Approx(0.25).epsilon(0.02));
  CHECK(mean_square_of(filled(named("normal"), 100, 100)) == doctest::Approx(0.0025).epsilon(1e-4));
}

TEST_CASE("values are those of the random stream, in row-major order") {
  chainrule::RandomStream random(7, chainrule::RandomUse::initialization, 9);
  const double bound = std::sqrt(6.0 / 5.0);
  for (const double value : filled(named("he_uniform"), 5, 3, 7, 9))
    CHECK(value == doctest::Approx((2.0 * random.next_uniform() - 1.0) * bound).epsilon(1e-15));
  CHECK(filled(named("he_normal"), 5, 3, 7, 9) == filled(named("he_normal"), 5, 3, 7, 9));
  CHECK(filled(named("he_normal"), 5, 3, 7, 9) != filled(named("he_normal"), 5, 3, 8, 9));
  CHECK(filled(named("he_normal"), 5, 3, 7, 9) != filled(named("he_normal"), 5, 3, 7, 10));
}

TEST_CASE("orthogonal matrices are orthogonal") {
  struct Shape {
    std::int64_t rows, columns;
  };
  for (const Shape shape : {Shape{1, 1}, {4, 4}, {9, 4}, {4, 9}, {1, 5}, {5, 1}, {65, 65}}) {
    CAPTURE(shape.rows);
    CAPTURE(shape.columns);
    const auto values = filled(Initializer::from_config({"orthogonal", {{"gain", 1.5}}}),
                               shape.rows, shape.columns);
    const bool wide = shape.rows < shape.columns;
    const std::int64_t count = std::min(shape.rows, shape.columns);
    const std::int64_t length = std::max(shape.rows, shape.columns);
    const auto entry = [&](std::int64_t vector, std::int64_t i) {
      const std::int64_t index = wide ? vector * shape.columns + i : i * shape.columns + vector;
      return values[static_cast<std::size_t>(index)];
    };
    double worst = 0.0;
    for (std::int64_t p = 0; p < count; ++p)
      for (std::int64_t q = 0; q <= p; ++q) {
        double product = 0.0;
        for (std::int64_t i = 0; i < length; ++i) product += entry(p, i) * entry(q, i);
        worst = std::max(worst, std::abs(product - (p == q ? 2.25 : 0.0)));
      }
    CHECK(worst < 1e-13);
  }
}

TEST_CASE("orthogonal matrices are drawn evenly, reflections as often as rotations") {
  int reflections = 0;
  double first_squares = 0.0;
  for (std::uint64_t stream = 0; stream < 1000; ++stream) {
    const auto q = filled(named("orthogonal"), 2, 2, 3, stream);
    reflections += q[0] * q[3] - q[1] * q[2] < 0.0;
    first_squares += q[0] * q[0] / 1000.0;
  }
  CHECK(std::abs(reflections - 500) < 80);
  CHECK(first_squares == doctest::Approx(0.5).epsilon(0.05));
}

TEST_CASE("the default initializer fits the activation") {
  for (const char* name : {"relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "silu", "relu6",
                           "hard_swish", "mish", "softplus"}) {
    CAPTURE(name);
    CHECK(Initializer::for_activation(Activation::from_config({name, {}})) == named("he_uniform"));
  }
  for (const char* name : {"linear", "softsign", "hard_sigmoid", "sigmoid", "tanh", "softmax"}) {
    CAPTURE(name);
    CHECK(Initializer::for_activation(Activation::from_config({name, {}})) ==
          named("glorot_uniform"));
  }
}

TEST_CASE("selu has the initializer that it was derived for") {
  CHECK(Initializer::for_activation(Activation::from_config({"selu", {}})) ==
        named("lecun_normal"));
}

TEST_CASE("initializers survive the way to a config and back") {
  for (const std::string& kind : Initializer::kinds()) {
    CAPTURE(kind);
    const Initializer initializer = named(kind);
    CHECK(initializer.config().kind == kind);
    CHECK(Initializer::from_config(initializer.config()) == initializer);
    CHECK(Initializer::defaults(initializer.kind) == initializer);
  }
  const Initializer normal{Initializer::Kind::normal, Initializer::Normal{0.25, 2.0}};
  CHECK(normal.config() == Config{"normal", {{"mean", 0.25}, {"standard_deviation", 2.0}}});
  CHECK(Initializer::from_config(normal.config()) == normal);
}

TEST_CASE("bad initializers are refused by name and value") {
  CHECK_THROWS_WITH_AS(named("he_unifrom"),
                       "unknown initializer 'he_unifrom'; did you mean 'he_uniform'? valid: "
                       "constant, glorot_normal, glorot_uniform, he_normal, he_uniform, "
                       "lecun_normal, lecun_uniform, normal, orthogonal, uniform, zeros",
                       Error);
  CHECK_THROWS_WITH_AS(Initializer::from_config({"normal", {{"standard_deviation", -1.0}}}),
                       "normal: standard_deviation must be >= 0, got -1", Error);
  CHECK_THROWS_WITH_AS(Initializer::from_config({"uniform", {{"low", 1.0}}}),
                       "uniform: low must be <= high, got low 1 and high 0.05", Error);
  CHECK_THROWS_WITH_AS(Initializer::from_config({"he_normal", {{"gain", 1.0}}}),
                       "unknown he_normal option 'gain'; valid: none", Error);
  CHECK_THROWS_WITH_AS(
      Initializer::from_config({"constant", {{"value", std::numeric_limits<double>::infinity()}}}),
      "constant: value must be finite, got inf", Error);
  double value = 0.0;
  CHECK_THROWS_WITH_AS(named("zeros").fill(&value, 0, 1, 0, 0), "zeros: rows must be >= 1, got 0",
                       Error);
  CHECK_THROWS_WITH_AS((Initializer{Initializer::Kind::normal, Initializer::Normal{0.0, -1.0}}.fill(
                           &value, 1, 1, 0, 0)),
                       "normal: standard_deviation must be >= 0, got -1", Error);
}
