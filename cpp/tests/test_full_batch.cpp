// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/full_batch.hpp"
#include "chainrule/laplace.hpp"
#include "engine/second_order/cholesky.hpp"
#include "engine/second_order/line_search.hpp"
#include "kernels/dispatch.hpp"
#include "networks.hpp"

using namespace chainrule;
using namespace chainrule::testing;

namespace {

template <class T>
Network<T> small_network() {
  return Network<T>({Dense(7, "tanh"), Dense(2)}, 3, 5);
}

/// So many rows, so few of them at a time, that an iteration takes several times as long as it is
/// from poll to poll.
#ifdef CHAINRULE_TEST_QUICK
constexpr std::int64_t kManyRows = 250000, kAtATime = 4;
#else
constexpr std::int64_t kManyRows = 400000, kAtATime = 1;
#endif

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

void add_multiple(double factor, const std::vector<double>& of, std::vector<double>& to) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * of[i];
}

}  // namespace

TEST_CASE("a line search fulfils the strong Wolfe conditions") {
  // Quartics whose minimum lies near, far, and behind a hill.
  const auto check = [](auto value, auto slope, double first) {
    const auto at = [&](double a) { return engine::LinePoint{a, value(a), slope(a)}; };
    const engine::LineSearchOptions options;
    const engine::LineSearchResult result = engine::search_line(at(0.0), first, options, at);
    REQUIRE(result.fulfilled);
    CHECK(result.is_last);
    const double a = result.point.at;
    CHECK(value(a) <= value(0.0) + options.decrease * a * slope(0.0));
    CHECK(std::fabs(slope(a)) <= options.curvature * std::fabs(slope(0.0)));
  };
  for (const double first : {1e-3, 1.0, 100.0}) {
    CAPTURE(first);
    check([](double a) { return std::pow(a - 3, 4) + a * a; },
          [](double a) { return 4 * std::pow(a - 3, 3) + 2 * a; }, first);
    check([](double a) { return std::cos(a) - 0.1 * a; },
          [](double a) { return -std::sin(a) - 0.1; }, first);
    check([](double a) { return -a / (a * a + 2); },
          [](double a) { return (a * a - 2) / ((a * a + 2) * (a * a + 2)); }, first);
  }
}

TEST_CASE("a line search gives the best point that it saw where there is no other") {
  const auto kink = [](double a) {
    return engine::LinePoint{a, std::fabs(a - 1.0), a < 1.0 ? -1.0 : 1.0};
  };
  const engine::LineSearchResult result = engine::search_line(kink(0.0), 0.4, {}, kink);
  CHECK_FALSE(result.fulfilled);
  CHECK(result.point.value < 0.1);
}

TEST_CASE_TEMPLATE("L-BFGS makes the loss smaller from iteration to iteration", T, float, double) {
  const DataSet data(60, 3, 2);
  Network<T> network = small_network<T>();
  FullBatchTrainer<T> trainer(network, data.inputs_view(), data.by_row(), Loss{},
                              Lbfgs{.max_iterations = 40}, {.batch_size = 16});
  double before = 1e9;
  std::int64_t iterations = 0;
  while (trainer.step()) {
    CHECK(trainer.report().loss <= before);
    before = trainer.report().loss;
    CHECK(trainer.report().iteration == ++iterations);
    CHECK(network.epochs() == iterations);
  }
  CHECK(iterations == 40);
  CHECK(trainer.end() == TrainingEnd::max_iterations);
  CHECK(describe(trainer.end()) == "the maximum of iterations is reached");
  const double loss = network.evaluate(data.inputs_view(), data.by_row(), Loss{}, 16, 1, nullptr);
  CHECK(before == doctest::Approx(loss).epsilon(1e-6));
}

TEST_CASE("steps of L-BFGS go where the two-loop recursion points") {
  // A quadratic function of seven weights and a bias: the mean squared error of one linear output.
  const DataSet data(60, 7, 1);
  Network<double> network({Dense(1)}, 7, 5);
  FullBatchTrainer<double> trainer(network, data.inputs_view(), data.by_row(), Loss{},
                                   Lbfgs{.memory = 3, .tolerance = 0.0}, {.batch_size = 16});
  const auto parameters = [&] {
    std::vector<double> w = parameter(network, "0.weight");
    w.push_back(parameter(network, "0.bias")[0]);
    return w;
  };
  const auto gradient_at = [&](const std::vector<double>& w) {
    std::vector<double> sum(8);
    for (std::size_t i = 0; i < 60; ++i) {
      std::vector<double> x(data.x.begin() + static_cast<std::ptrdiff_t>(7 * i),
                            data.x.begin() + static_cast<std::ptrdiff_t>(7 * i + 7));
      x.push_back(1.0);
      add_multiple(2.0 / 60.0 * (dot(w, x) - data.targets[i]), x, sum);
    }
    return sum;
  };
  std::vector<std::vector<double>> s, y;  // the last three changes, oldest first
  for (int iteration = 0; iteration < 10; ++iteration) {
    CAPTURE(iteration);
    const std::vector<double> w = parameters();
    const std::vector<double> g = gradient_at(w);
    // Nocedal & Wright, algorithm 7.4.
    std::vector<double> r = g;
    std::vector<double> a(s.size());
    for (std::size_t i = s.size(); i-- > 0;) {
      a[i] = dot(s[i], r) / dot(s[i], y[i]);
      add_multiple(-a[i], y[i], r);
    }
    if (!s.empty())
      for (double& value : r) value *= dot(s.back(), y.back()) / dot(y.back(), y.back());
    for (std::size_t i = 0; i < s.size(); ++i)
      add_multiple(a[i] - dot(y[i], r) / dot(s[i], y[i]), s[i], r);

    REQUIRE(trainer.step());
    std::vector<double> moved = parameters();
    std::vector<double> change = gradient_at(moved);
    add_multiple(-1.0, g, change);
    add_multiple(-1.0, w, moved);
    std::vector<double> error = moved;
    add_multiple(trainer.report().step_length, r, error);
    CHECK(std::sqrt(dot(error, error)) <= 1e-8 * std::sqrt(dot(moved, moved)));
    s.push_back(moved);
    y.push_back(change);
    if (s.size() > 3) {
      s.erase(s.begin());
      y.erase(y.begin());
    }
  }
}

TEST_CASE("outputs are those behind the iteration, and threads change no bit") {
  const DataSet data(60, 3, 2);
  std::vector<std::vector<double>> found;
  for (const int threads : {1, 3}) {
    Network<double> network = small_network<double>();
    FullBatchTrainer<double> trainer(network, data.inputs_view(), data.by_row(), Loss{}, Lbfgs{},
                                     {.batch_size = 16, .num_threads = threads});
    std::vector<double> outputs(120);
    for (int i = 0; i < 9; ++i) REQUIRE(trainer.step(outputs.data()));
    CHECK(outputs == network.predict(data.inputs_view()));
    found.push_back(outputs);
  }
  CHECK(found[0] == found[1]);
}

TEST_CASE("what a poll throws leaves the weights of the iteration before") {
  const DataSet data(kManyRows, 3, 2);
  Network<float> network = small_network<float>();
  FullBatchTrainer<float> trainer(network, data.inputs_view(), data.by_row(), Loss{}, Lbfgs{},
                                  {.batch_size = kAtATime, .num_threads = 1});
  REQUIRE(trainer.step());
  const Snapshot<float> before(network);
  const auto interrupt = [] { throw std::runtime_error("interrupt"); };
  CHECK_THROWS_WITH(trainer.step(nullptr, interrupt), "interrupt");
  CHECK(Snapshot<float>(network) == before);
  CHECK(trainer.step());
}

TEST_CASE("full-batch optimizers are described by configs and refuse what does not go with them") {
  const FullBatchOptimizer given = Lbfgs{.memory = 3, .max_evaluations = 9};
  CHECK(FullBatchOptimizer::from_config(given.config()) == given);
  CHECK_THROWS_WITH_AS(FullBatchOptimizer(Lbfgs{.memory = 0}).check(),
                       "lbfgs: memory must be >= 1, got 0", Error);
  const DataSet data(20, 3, 2);
  Network<float> noisy({Dense(4), Dropout(0.5), Dense(2)}, 3, 5);
  CHECK_THROWS_WITH_AS(
      FullBatchTrainer<float>(noisy, data.inputs_view(), data.by_row(), Loss{}, Lbfgs{}),
      doctest::Contains("layer 1 (dropout) does not go with lbfgs"), Error);
}

TEST_CASE("Cholesky factors multiply to the matrix, and solve what they are the factors of") {
  for (const std::int64_t n : {1, 7, 47, 48, 49, 130}) {
    CAPTURE(n);
    Draws draws(static_cast<std::uint64_t>(n));
    std::vector<std::vector<double>> a(static_cast<std::size_t>(n));
    engine::SymmetricMatrix matrix(n);
    for (std::int64_t i = 0; i < n; ++i) {
      auto& row = a[static_cast<std::size_t>(i)];
      for (std::int64_t j = 0; j < n; ++j) row.push_back(draws.uniform(-1, 1));
      row[static_cast<std::size_t>(i)] = static_cast<double>(n) + 1.0;
      std::copy(row.begin() + i, row.end(), matrix.row(i) + i);
    }
    const auto at = [&](std::int64_t i, std::int64_t j) {
      return a[static_cast<std::size_t>(std::min(i, j))][static_cast<std::size_t>(std::max(i, j))];
    };
    std::vector<double> beside(static_cast<std::size_t>(n));
    for (double& value : beside) value = draws.uniform(-1, 1);
    const std::vector<double> right = beside;
    REQUIRE(matrix.factorize(kernels::active<double>(), 2, beside.data()));
    matrix.solve(beside.data());
    for (std::int64_t i = 0; i < n; ++i) {
      double sum = -right[static_cast<std::size_t>(i)];
      for (std::int64_t j = 0; j < n; ++j) sum += at(i, j) * beside[static_cast<std::size_t>(j)];
      CHECK(std::fabs(sum) < 1e-12);
    }
    // U^T U is the matrix, and what solves it gives it back.
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = i; j < n; ++j) {
        double sum = 0.0;
        for (std::int64_t k = 0; k <= i; ++k) sum += matrix.row(k)[i] * matrix.row(k)[j];
        CHECK(sum == doctest::Approx(at(i, j)).epsilon(1e-12));
      }
    }
    double trace = 0.0;
    for (std::int64_t column = 0; column < n; ++column) {
      std::vector<double> b(static_cast<std::size_t>(n));
      b[static_cast<std::size_t>(column)] = 1.0;
      std::vector<double> columns(static_cast<std::size_t>(8 * n));
      for (std::int64_t i = 0; i < n; ++i)
        columns[static_cast<std::size_t>(8 * i)] = b[static_cast<std::size_t>(i)];
      matrix.solve_transposed(columns.data(), 1, 8);
      for (std::int64_t i = 0; i < n; ++i)
        b[static_cast<std::size_t>(i)] = columns[static_cast<std::size_t>(8 * i)];
      matrix.solve(b.data());
      trace += b[static_cast<std::size_t>(column)];
      for (std::int64_t i = 0; i < n; ++i) {
        double sum = 0.0;
        for (std::int64_t j = 0; j < n; ++j) sum += at(i, j) * b[static_cast<std::size_t>(j)];
        CHECK(std::fabs(sum - (i == column ? 1.0 : 0.0)) < 1e-12);
      }
    }
    CHECK(matrix.inverse_trace() == doctest::Approx(trace).epsilon(1e-12));
    matrix.row(0)[0] = -1.0;
    CHECK_FALSE(matrix.factorize(kernels::active<double>(), 1));
  }
}

TEST_CASE("Levenberg and Marquardt's method, and intervals around what it finds") {
  const DataSet data(200, 3, 2);
  Network<float> network({Dense(4, "tanh"), Dense(2)}, 3, 5);
  FullBatchTrainer<float> trainer(network, data.inputs_view(), data.by_row(), Loss{},
                                  LevenbergMarquardt{.max_iterations = 30, .bayesian = true});
  while (trainer.step()) {
    CHECK(trainer.report().effective_parameters > 0.0);
    CHECK(trainer.report().effective_parameters <= 26.0);
  }
  CHECK(trainer.report().iteration > 3);
  const Laplace around(network, data.inputs_view(), data.by_row());
  std::vector<double> means(400);
  std::vector<double> deviations(400);
  around.predict(data.inputs_view(), means.data(), deviations.data());
  const std::vector<float> outputs = network.predict(data.inputs_view());
  for (std::size_t i = 0; i < 400; ++i) {
    CHECK(means[i] == doctest::Approx(outputs[i]).epsilon(1e-4));
    CHECK(deviations[i] > around.noise());
  }
}
