// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "matrices.hpp"

namespace {

using namespace chainrule::kernels;
using namespace chainrule::testing;

constexpr double kEpsilon = 1e-3;

template <class T>
struct Norm {
  Norm(int64_t rows, int64_t columns)
      : y(rows, columns),
        dx(rows, columns),
        mean(1, std::max(rows, columns)),
        inverse(1, std::max(rows, columns)),
        running_mean(1, columns),
        running_variance(1, columns),
        dgamma(1, columns),
        dbeta(1, columns) {}

  bool same(const Norm& other) const {
    return same_bits(y, other.y) && same_bits(dx, other.dx) && same_bits(mean, other.mean) &&
           same_bits(inverse, other.inverse) && same_bits(running_mean, other.running_mean) &&
           same_bits(running_variance, other.running_variance) && same_bits(dgamma, other.dgamma) &&
           same_bits(dbeta, other.dbeta);
  }

  Matrix<T> y, dx, mean, inverse, running_mean, running_variance, dgamma, dbeta;
};

template <class T>
struct Inputs {
  Inputs(int64_t rows, int64_t columns) : draws(static_cast<uint64_t>(100 * rows + columns)) {
    const auto draw = [&] { return draws.uniform(-2, 3); };
    x = filled<T>(rows, columns, T(0.5), draw);
    dy = filled<T>(rows, columns, T(0), draw);
    gamma = filled<T>(1, columns, T(0), draw);
    beta = filled<T>(1, columns, T(0), draw);
  }

  Draws draws;
  Matrix<T> x{0, 1}, dy{0, 1}, gamma{0, 1}, beta{0, 1};
};

enum class Mode { training, inference };

template <class T>
Norm<T> batch_norm(const std::string& isa, const Inputs<T>& in, Mode mode, bool affine) {
  Norm<T> n(in.x.rows, in.x.columns);
  for (int64_t j = 0; j < in.x.columns; ++j) {
    n.running_mean(0, j) = T(0.25);
    n.running_variance(0, j) = T(2);
  }
  BatchNormArgs<T> f{};
  f.rows = in.x.rows;
  f.column_end = in.x.stride;
  f.fixed = mode == Mode::inference;
  f.epsilon = static_cast<T>(kEpsilon);
  f.momentum = T(0.75);
  f.gamma = affine ? in.gamma.data() : nullptr;
  f.beta = affine ? in.beta.data() : nullptr;
  f.x = in.x.data();
  f.y = n.y.data();
  f.stride = in.x.stride;
  f.mean = n.mean.data();
  f.inverse = n.inverse.data();
  f.running_mean = n.running_mean.data();
  f.running_variance = n.running_variance.data();
  f.dy = in.dy.data();
  f.dx = n.dx.data();
  f.dgamma = n.dgamma.data();
  f.dbeta = n.dbeta.data();
  const KernelTable<T>& k = kernels_of<T>(isa);
  if (mode == Mode::training) {
    k.batch_norm_forward(f);
  } else {
    k.batch_norm_inference(f);
  }
  k.batch_norm_backward(f);
  return n;
}

template <class T>
Norm<T> layer_norm(const std::string& isa, const Inputs<T>& in, bool affine) {
  Norm<T> n(in.x.rows, in.x.columns);
  const KernelTable<T>& k = kernels_of<T>(isa);
  LayerNormArgs<T> f{};
  f.rows = in.x.rows;
  f.columns = in.x.columns;
  f.stride = in.x.stride;
  f.epsilon = static_cast<T>(kEpsilon);
  f.gamma = affine ? in.gamma.data() : nullptr;
  f.beta = affine ? in.beta.data() : nullptr;
  f.x = in.x.data();
  f.y = n.y.data();
  f.mean = n.mean.data();
  f.inverse = n.inverse.data();
  f.dy = in.dy.data();
  f.dx = n.dx.data();
  k.layer_norm_forward(f);
  k.layer_norm_backward(f);
  k.affine_gradient({f.rows, 0, f.stride, f.stride, f.x, f.mean, f.inverse, f.dy, n.dgamma.data(),
                     n.dbeta.data()});
  return n;
}

using Values = std::vector<double>;

double mean_of(const Values& v) {
  return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

/// y, and dx from the Jacobian written out: dxhat_j / dx_i =
/// (delta_ij - 1/n - xhat_i xhat_j / n) / sqrt(variance + epsilon).
struct Plain {
  Plain(const Values& x, const Values& dxhat) : mean(mean_of(x)), dx(x.size()) {
    const auto n = static_cast<double>(x.size());
    for (const double v : x) variance += (v - mean) * (v - mean) / n;
    const double root = std::sqrt(variance + kEpsilon);
    for (const double v : x) xhat.push_back((v - mean) / root);
    for (size_t i = 0; i < x.size(); ++i)
      for (size_t j = 0; j < x.size(); ++j)
        dx[i] += dxhat[j] * ((i == j ? 1.0 : 0.0) - 1.0 / n - xhat[i] * xhat[j] / n) / root;
  }

  double mean;
  double variance = 0.0;
  Values xhat, dx;
};

template <class T>
void check_batch_norm(int64_t rows, int64_t columns, bool affine) {
  const Inputs<T> in(rows, columns);
  const auto number = [](T v) { return static_cast<double>(v); };
  for (const Mode mode : {Mode::training, Mode::inference}) {
    const Norm<T> n = batch_norm("portable", in, mode, affine);
    for (int64_t j = 0; j < columns; ++j) {
      const double gamma = affine ? number(in.gamma(0, j)) : 1.0;
      const double beta = affine ? number(in.beta(0, j)) : 0.0;
      Values x, dxhat;
      for (int64_t i = 0; i < rows; ++i) {
        x.push_back(number(in.x(i, j)));
        dxhat.push_back(gamma * number(in.dy(i, j)));
      }
      Plain plain(x, dxhat);
      if (mode == Mode::inference) {
        const double root = std::sqrt(2.0 + kEpsilon);
        for (size_t i = 0; i < x.size(); ++i) {
          plain.xhat[i] = (x[i] - 0.25) / root;
          plain.dx[i] = dxhat[i] / root;
        }
      }
      double dgamma = 0.0, dbeta = 0.0;
      for (int64_t i = 0; i < rows; ++i) {
        const auto at = static_cast<size_t>(i);
        CHECK(near(n.y(i, j), gamma * plain.xhat[at] + beta, 256));
        CHECK(near(n.dx(i, j), plain.dx[at], 1024));
        dgamma += number(in.dy(i, j)) * plain.xhat[at];
        dbeta += number(in.dy(i, j));
      }
      CHECK(near(n.dgamma(0, j), dgamma, 1024));
      CHECK(near(n.dbeta(0, j), dbeta, 256));
      // One row has no variance and leaves the running ones alone.
      const bool moves = mode == Mode::training && rows > 1;
      const auto count = static_cast<double>(rows);
      const double unbiased = plain.variance * count / (count - 1.0);
      CHECK(near(n.running_mean(0, j), moves ? 0.75 * 0.25 + 0.25 * plain.mean : 0.25, 16));
      CHECK(near(n.running_variance(0, j), moves ? 0.75 * 2.0 + 0.25 * unbiased : 2.0, 64));
    }
    for (const std::string& isa : vector_isas()) {
      CAPTURE(isa);
      CHECK(batch_norm(isa, in, mode, affine).same(n));
    }
  }
}

template <class T>
void check_layer_norm(int64_t rows, int64_t columns, bool affine) {
  const Inputs<T> in(rows, columns);
  const Norm<T> n = layer_norm("portable", in, affine);
  const auto number = [](T v) { return static_cast<double>(v); };
  Values dgamma(static_cast<size_t>(columns)), dbeta(dgamma.size());
  for (int64_t i = 0; i < rows; ++i) {
    Values x, dxhat;
    for (int64_t j = 0; j < columns; ++j) {
      x.push_back(number(in.x(i, j)));
      dxhat.push_back((affine ? number(in.gamma(0, j)) : 1.0) * number(in.dy(i, j)));
    }
    const Plain plain(x, dxhat);
    for (int64_t j = 0; j < columns; ++j) {
      const auto at = static_cast<size_t>(j);
      const double gamma = affine ? number(in.gamma(0, j)) : 1.0;
      const double beta = affine ? number(in.beta(0, j)) : 0.0;
      CHECK(near(n.y(i, j), gamma * plain.xhat[at] + beta, 256));
      CHECK(near(n.dx(i, j), plain.dx[at], 1024));
      dgamma[at] += number(in.dy(i, j)) * plain.xhat[at];
      dbeta[at] += number(in.dy(i, j));
    }
  }
  for (int64_t j = 0; j < columns; ++j) {
    CHECK(near(n.dgamma(0, j), dgamma[static_cast<size_t>(j)], 1024));
    CHECK(near(n.dbeta(0, j), dbeta[static_cast<size_t>(j)], 256));
  }
  for (const std::string& isa : vector_isas()) {
    CAPTURE(isa);
    CHECK(layer_norm(isa, in, affine).same(n));
  }
}

}  // namespace

TEST_CASE("batch normalisation follows its formulas, with the same bits everywhere") {
  for (const bool affine : {false, true})
    for (const int64_t rows : {1, 2, 11, 32})
      for (const int64_t columns : {1, 7, 16, 17, 35}) {
        CAPTURE(affine);
        CAPTURE(rows);
        CAPTURE(columns);
        check_batch_norm<float>(rows, columns, affine);
        check_batch_norm<double>(rows, columns, affine);
      }
}

TEST_CASE("layer normalisation follows its formulas, with the same bits everywhere") {
  for (const bool affine : {false, true})
    for (int64_t columns = 1; columns <= 35; ++columns) {
      CAPTURE(affine);
      CAPTURE(columns);
      check_layer_norm<float>(5, columns, affine);
      check_layer_norm<double>(5, columns, affine);
    }
}

TEST_CASE("the tree sums sixteen lanes, halves onto halves") {
  Draws draws(2);
  for (size_t n = 0; n <= 70; ++n) {
    CAPTURE(n);
    std::vector<float> x(n);
    for (float& value : x) value = static_cast<float>(draws.uniform(-1, 1));
    float lanes[16] = {};
    for (size_t j = 0; j < n; ++j) lanes[j % 16] += x[j];
    for (int half = 8; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    for (const std::string& isa : available()) {
      CAPTURE(isa);
      CHECK(kernels_of<float>(isa).tree_sum(x.data(), static_cast<int64_t>(n)) == lanes[0]);
    }
  }
}
