// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "matrices.hpp"

namespace {

using namespace chainrule::kernels;
using namespace chainrule::testing;

double sign(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : 0.0; }

struct Point {
  double value, derivative;
};

constexpr double kDelta = 0.75;

/// One output's loss and its derivative, by the formulas of chainrule/loss.hpp.
Point elementwise(LossKind kind, double z, double t, double q) {
  const double d = z - t;
  switch (kind) {
    case LossKind::mse:
      return {d * d, 2.0 * d};
    case LossKind::mae:
      return {std::abs(d), sign(d)};
    case LossKind::huber:
      return std::abs(d) <= kDelta ? Point{d * d / 2.0, d}
                                   : Point{kDelta * (std::abs(d) - kDelta / 2.0), kDelta * sign(d)};
    case LossKind::log_cosh:
      return {std::abs(d) + std::log1p(std::exp(-2.0 * std::abs(d))) - std::log(2.0), std::tanh(d)};
    case LossKind::binary_cross_entropy: {
      const double p = 1.0 / (1.0 + std::exp(-z));
      return {std::max(z, 0.0) - z * t + std::log1p(std::exp(-std::abs(z))), p - t};
    }
    case LossKind::hinge: {
      const double s = t > 0.0 ? 1.0 : -1.0;
      return {std::max(0.0, 1.0 - s * z), s * z < 1.0 ? -s : 0.0};
    }
    case LossKind::quantile:
      return {q * std::max(0.0, t - z) + (1.0 - q) * std::max(0.0, z - t), t > z   ? -q
                                                                           : z > t ? 1.0 - q
                                                                                   : 0.0};
    case LossKind::poisson:
      return {std::exp(z) - t * z, std::exp(z) - t};
    default:
      return {};
  }
}

struct Named {
  const char* name;
  LossKind kind;
};

constexpr Named kElementwise[] = {{"mse", LossKind::mse},
                                  {"mae", LossKind::mae},
                                  {"huber", LossKind::huber},
                                  {"log_cosh", LossKind::log_cosh},
                                  {"binary_cross_entropy", LossKind::binary_cross_entropy},
                                  {"hinge", LossKind::hinge},
                                  {"quantile", LossKind::quantile},
                                  {"poisson", LossKind::poisson}};

/// Everything a loss may read, for `rows` rows, with garbage behind the columns of z and targets.
template <class T>
struct Case {
  Case(int64_t rows_, int64_t columns_, double scale, uint64_t seed)
      : rows(rows_), columns(columns_) {
    Draws draws(seed);
    z = filled<T>(rows, columns, kGarbage<T>, [&] { return draws.uniform(-scale, scale); });
    targets = filled<T>(rows, columns, kGarbage<T>, [&] {
      return draws.integer(0, 3) == 0 ? static_cast<double>(draws.integer(0, 1))
                                      : draws.uniform(0, 1);
    });
    quantiles = filled<T>(1, columns, T(0), [&] { return draws.uniform(0.05, 0.95); });
    class_weights = filled<T>(1, columns, T(0), [&] { return draws.uniform(0.25, 3); });
    for (int64_t i = 0; i < rows; ++i) {
      sample_weights.push_back(static_cast<T>(draws.uniform(0, 2)));
      labels.push_back(static_cast<int32_t>(draws.integer(0, columns - 1)));
    }
  }

  LossArgs<T> arguments(LossKind kind) const {
    LossArgs<T> f{};
    f.kind = kind;
    f.delta = static_cast<T>(kDelta);
    f.rows = rows;
    f.columns = columns;
    f.z = z.data();
    f.z_stride = z.stride;
    f.targets = targets.data();
    f.target_stride = targets.stride;
    f.quantiles = quantiles.data();
    f.gradient_scale = T(0.125);
    return f;
  }

  int64_t rows, columns;
  Matrix<T> z{0, 1}, targets{0, 1}, quantiles{0, 1}, class_weights{0, 1};
  std::vector<T> sample_weights;
  std::vector<int32_t> labels;
};

template <class T>
struct Result {
  std::vector<T> row_losses;
  Matrix<T> dz;
};

template <class T>
Result<T> run(const std::string& isa, LossArgs<T> f) {
  Result<T> r{std::vector<T>(static_cast<size_t>(f.rows)), Matrix<T>(f.rows, f.columns)};
  f.row_losses = r.row_losses.data();
  f.dz = r.dz.data();
  f.dz_stride = r.dz.stride;
  kernels_of<T>(isa).loss(f);

  std::vector<T> alone(r.row_losses.size());
  f.row_losses = alone.data();
  f.dz = nullptr;
  kernels_of<T>(isa).loss(f);
  CHECK(same_bits(alone, r.row_losses));
  // Padding that starts as zero stays so: later stages sum over padded rows.
  for (int64_t i = 0; i < f.rows; ++i)
    for (int64_t j = f.columns; j < r.dz.stride; ++j) CHECK(r.dz(i, j) == T(0));
  return r;
}

template <class T>
void check_everywhere(const LossArgs<T>& f, const Result<T>& portable) {
  for (const std::string& isa : vector_isas()) {
    CAPTURE(isa);
    const Result<T> r = run(isa, f);
    CHECK(same_bits(r.row_losses, portable.row_losses));
    CHECK(same_bits(r.dz, portable.dz));
  }
}

template <class T>
void check_elementwise(const Named& loss) {
  for (int64_t columns = 1; columns <= 35; ++columns) {
    for (const bool weighted : {false, true}) {
      CAPTURE(columns);
      CAPTURE(weighted);
      const Case<T> c(3, columns, 4.0, static_cast<uint64_t>(columns));
      LossArgs<T> f = c.arguments(loss.kind);
      if (weighted) f.sample_weights = c.sample_weights.data();
      const Result<T> r = run("portable", f);
      for (int64_t i = 0; i < c.rows; ++i) {
        const double weight =
            weighted ? static_cast<double>(c.sample_weights[static_cast<size_t>(i)]) : 1.0;
        double sum = 0.0;
        for (int64_t j = 0; j < columns; ++j) {
          const Point p = elementwise(loss.kind, static_cast<double>(c.z(i, j)),
                                      static_cast<double>(c.targets(i, j)),
                                      static_cast<double>(c.quantiles(0, j)));
          sum += p.value;
          CHECK(near(r.dz(i, j), weight * 0.125 * p.derivative / static_cast<double>(columns), 16));
        }
        CHECK(near(r.row_losses[static_cast<size_t>(i)],
                   weight * sum / static_cast<double>(columns), 64));
      }
      check_everywhere(f, r);
    }
  }
}

struct CrossEntropyOptions {
  bool labels, sample_weights, class_weights;
  double smoothing;
};

template <class T>
void check_cross_entropy(const CrossEntropyOptions& o, int64_t rows, int64_t columns,
                         double scale) {
  const Case<T> c(rows, columns, scale, static_cast<uint64_t>(columns));
  LossArgs<T> f = c.arguments(LossKind::cross_entropy);
  f.label_smoothing = static_cast<T>(o.smoothing);
  if (o.labels) {
    f.labels = c.labels.data();
    f.targets = nullptr;
  }
  if (o.sample_weights) f.sample_weights = c.sample_weights.data();
  if (o.class_weights) f.class_weights = c.class_weights.data();
  const Result<T> r = run("portable", f);
  for (int64_t i = 0; i < c.rows; ++i) {
    const auto row = static_cast<size_t>(i);
    const double weight = o.sample_weights ? static_cast<double>(c.sample_weights[row]) : 1.0;
    double top = -std::numeric_limits<double>::infinity(), total = 0.0;
    for (int64_t j = 0; j < columns; ++j) top = std::max(top, static_cast<double>(c.z(i, j)));
    for (int64_t j = 0; j < columns; ++j) total += std::exp(static_cast<double>(c.z(i, j)) - top);
    const auto log_p = [&](int64_t j) {
      return static_cast<double>(c.z(i, j)) - top - std::log(total);
    };
    std::vector<double> target;
    double mass = 0.0, loss = 0.0;
    for (int64_t j = 0; j < columns; ++j) {
      double t =
          o.labels ? static_cast<double>(c.labels[row] == j) : static_cast<double>(c.targets(i, j));
      t = (1.0 - o.smoothing) * t + o.smoothing / static_cast<double>(columns);
      if (o.class_weights) t *= static_cast<double>(c.class_weights(0, j));
      target.push_back(t);
      mass += t;
      if (t != 0.0) loss -= t * log_p(j);
    }
    CHECK(near(r.row_losses[row], weight * loss, 64));
    for (int64_t j = 0; j < columns; ++j) {
      const double derivative = std::exp(log_p(j)) * mass - target[static_cast<size_t>(j)];
      CHECK(near(r.dz(i, j), weight * 0.125 * derivative, 64));
    }
  }
  check_everywhere(f, r);
}

template <class T>
void check_nan(const std::string& isa, LossKind kind) {
  Case<T> c(2, 3, 1.0, 1);
  c.z(1, 2) = std::numeric_limits<T>::quiet_NaN();
  LossArgs<T> f = c.arguments(kind);
  std::vector<T> losses(2);
  f.row_losses = losses.data();
  kernels_of<T>(isa).loss(f);
  CHECK(std::isfinite(losses[0]));
  CHECK(std::isnan(losses[1]));
}

/// Losses may overflow to infinity where outputs are this large, but no term may become a NaN.
template <class T>
void check_huge(const std::string& isa, LossKind kind) {
  using Limits = std::numeric_limits<T>;
  Case<T> c(4, 3, 1.0, 1);
  const T rows[4][3] = {{Limits::max(), T(0), T(0)},
                        {Limits::lowest(), T(0), T(0)},
                        {Limits::max(), Limits::max(), Limits::lowest()},
                        {T(1e38), T(-1e38), T(1e19)}};
  for (int64_t i = 0; i < 4; ++i)
    for (int64_t j = 0; j < 3; ++j) c.z(i, j) = rows[i][j];
  const Result<T> r = run(isa, c.arguments(kind));
  for (int64_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    CHECK_FALSE(std::isnan(r.row_losses[static_cast<size_t>(i)]));
    for (int64_t j = 0; j < 3; ++j) CHECK_FALSE(std::isnan(r.dz(i, j)));
  }
}

}  // namespace

TEST_CASE("elementwise losses follow their formulas, with the same bits everywhere") {
  for (const Named& loss : kElementwise) {
    CAPTURE(loss.name);
    check_elementwise<float>(loss);
    check_elementwise<double>(loss);
  }
}

TEST_CASE("cross-entropy follows its formula, with the same bits everywhere") {
  for (const bool labels : {false, true})
    for (const bool sample_weights : {false, true})
      for (const bool class_weights : {false, true})
        for (const double smoothing : {0.0, 0.125}) {
          CAPTURE(labels);
          CAPTURE(sample_weights);
          CAPTURE(class_weights);
          CAPTURE(smoothing);
          const CrossEntropyOptions options{labels, sample_weights, class_weights, smoothing};
          for (int64_t columns = 1; columns <= 35; ++columns) {
            CAPTURE(columns);
            for (const int64_t rows : {3, 35}) {
              check_cross_entropy<float>(options, rows, columns, 5.0);
              check_cross_entropy<double>(options, rows, columns, 5.0);
            }
          }
          check_cross_entropy<float>(options, 19, 7, 1e4);
          check_cross_entropy<double>(options, 19, 7, 1e4);
        }
}

TEST_CASE("a NaN among the outputs shows in its row's loss alone") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    for (const Named& loss : kElementwise) {
      CAPTURE(loss.name);
      check_nan<float>(isa, loss.kind);
      check_nan<double>(isa, loss.kind);
    }
    check_nan<float>(isa, LossKind::cross_entropy);
    check_nan<double>(isa, LossKind::cross_entropy);
  }
}

TEST_CASE("finite outputs, however large, give no NaN") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    for (const Named& loss : kElementwise) {
      CAPTURE(loss.name);
      check_huge<float>(isa, loss.kind);
      check_huge<double>(isa, loss.kind);
    }
    check_huge<float>(isa, LossKind::cross_entropy);
    check_huge<double>(isa, LossKind::cross_entropy);
  }
}

TEST_CASE("a row's sum is the fixed tree of sixteen lanes") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    for (int64_t columns = 1; columns <= 70; ++columns) {
      CAPTURE(columns);
      const Case<float> c(1, columns, 4.0, static_cast<uint64_t>(columns));
      const Matrix<float> zeros(1, columns);
      LossArgs<float> f = c.arguments(LossKind::mae);
      f.targets = zeros.data();
      float lanes[16] = {};
      for (int64_t j = 0; j < columns; ++j) lanes[j % 16] += std::abs(c.z(0, j));
      for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
      CHECK(run(isa, f).row_losses[0] == lanes[0] * (1.0f / static_cast<float>(columns)));
    }
  }
}

TEST_CASE("binary cross-entropy stays exact at both ends") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    Matrix<float> z(1, 4), t(1, 4);
    const float ends[] = {1e4f, 1e4f, -1e4f, -1e4f};
    for (int64_t j = 0; j < 4; ++j) {
      z(0, j) = ends[j];
      t(0, j) = static_cast<float>(j % 2);
    }
    LossArgs<float> f{};
    f.kind = LossKind::binary_cross_entropy;
    f.rows = 1;
    f.columns = 4;
    f.z = z.data();
    f.z_stride = z.stride;
    f.targets = t.data();
    f.target_stride = t.stride;
    f.gradient_scale = 4.0f;
    const Result<float> r = run(isa, f);
    CHECK(r.row_losses[0] == 5000.0f);  // two of four wrong by 1e4
    const float derivatives[] = {1.0f, 0.0f, 0.0f, -1.0f};
    for (int64_t j = 0; j < 4; ++j) CHECK(r.dz(0, j) == derivatives[j]);
  }
}

TEST_CASE("log-cosh of no error is no loss, and never negative") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    Draws draws(3);
    for (int trial = 0; trial < 200; ++trial) {
      Matrix<float> z(1, 1), t(1, 1);
      z(0, 0) = trial == 0 ? 0.0f : static_cast<float>(std::ldexp(draws.uniform(1, 2), -trial / 8));
      LossArgs<float> f{};
      f.kind = LossKind::log_cosh;
      f.rows = f.columns = 1;
      f.z = z.data();
      f.z_stride = z.stride;
      f.targets = t.data();
      f.target_stride = t.stride;
      const Result<float> r = run(isa, f);
      CHECK(r.row_losses[0] >= 0.0f);
      if (trial == 0) CHECK(r.row_losses[0] == 0.0f);
    }
  }
}
