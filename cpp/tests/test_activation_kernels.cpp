// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "matrices.hpp"

namespace {

using namespace chainrule::kernels;
using namespace chainrule::testing;

double sigmoid(double z) { return 1.0 / (1.0 + std::exp(-z)); }
double softplus(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))); }
double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }
double normal_density(double z) {
  return std::exp(-0.5 * z * z) / std::sqrt(2.0 * std::acos(-1.0));
}
double cubic(double z) { return std::sqrt(2.0 / std::acos(-1.0)) * (z + 0.044715 * z * z * z); }
double cubic_derivative(double z) {
  return std::sqrt(2.0 / std::acos(-1.0)) * (1.0 + 3.0 * 0.044715 * z * z);
}

/// An elementwise activation by its textbook formula.
struct Formula {
  const char* name;
  ActivationKind kind;
  double parameter;
  std::function<double(double)> value, derivative;
  double second_parameter = 0.0;
};

std::vector<Formula> formulas() {
  using K = ActivationKind;
  const auto step = [](double below) {
    return [below](double z) { return z > 0.0 ? 1.0 : below; };
  };
  return {
      {"linear", K::linear, 0.0, [](double z) { return z; }, [](double) { return 1.0; }},
      {"relu", K::relu, 0.0, [](double z) { return std::max(z, 0.0); }, step(0.0)},
      {"leaky_relu", K::leaky_relu, 0.25, [](double z) { return z > 0.0 ? z : 0.25 * z; },
       step(0.25)},
      {"elu", K::elu, 1.5, [](double z) { return z > 0.0 ? z : 1.5 * std::expm1(z); },
       [](double z) { return z > 0.0 ? 1.0 : 1.5 * std::exp(z); }},
      {"gelu", K::gelu, 0.0, [](double z) { return z * normal_cdf(z); },
       [](double z) { return normal_cdf(z) + z * normal_density(z); }},
      {"gelu_tanh", K::gelu_tanh, 0.0,
       [](double z) { return 0.5 * z * (1.0 + std::tanh(cubic(z))); },
       [](double z) {
         const double t = std::tanh(cubic(z));
         return 0.5 * (1.0 + t) + 0.5 * z * (1.0 - t * t) * cubic_derivative(z);
       }},
      {"silu", K::silu, 0.0, [](double z) { return z * sigmoid(z); },
       [](double z) { return sigmoid(z) * (1.0 + z * (1.0 - sigmoid(z))); }},
      {"sigmoid", K::sigmoid, 0.0, sigmoid,
       [](double z) { return sigmoid(z) * (1.0 - sigmoid(z)); }},
      {"tanh", K::tanh, 0.0, [](double z) { return std::tanh(z); },
       [](double z) { return 1.0 - std::tanh(z) * std::tanh(z); }},
      {"softplus", K::softplus, 0.0, softplus, sigmoid},
      {"selu", K::selu, 0.0,
       [](double z) {
         return 1.0507009873554805 * (z > 0.0 ? z : 1.6732632423543772 * std::expm1(z));
       },
       [](double z) {
         return 1.0507009873554805 * (z > 0.0 ? 1.0 : 1.6732632423543772 * std::exp(z));
       }},
      {"mish", K::mish, 0.0, [](double z) { return z * std::tanh(softplus(z)); },
       [](double z) {
         const double w = std::tanh(softplus(z));
         return w + z * (1.0 - w * w) * sigmoid(z);
       }},
      {"hard_sigmoid", K::hard_sigmoid, 0.125,
       [](double z) { return std::clamp(0.125 * z + 0.25, 0.0, 1.0); },
       [](double z) { return z > -2.0 && z < 6.0 ? 0.125 : 0.0; }, 0.25},
      {"hard_swish", K::hard_swish, 0.0,
       [](double z) { return z * std::clamp(z + 3.0, 0.0, 6.0) / 6.0; },
       [](double z) { return std::abs(z) < 3.0 ? z / 3.0 + 0.5 : z > 0.0; }},
      {"relu6", K::relu6, 0.0, [](double z) { return std::clamp(z, 0.0, 6.0); },
       [](double z) { return z > 0.0 && z < 6.0 ? 1.0 : 0.0; }},
      {"softsign", K::softsign, 0.0, [](double z) { return z / (1.0 + std::abs(z)); },
       [](double z) { return 1.0 / ((1.0 + std::abs(z)) * (1.0 + std::abs(z))); }},
      {"exponential", K::exponential, 0.0, [](double z) { return std::exp(z); },
       [](double z) { return std::exp(z); }},
  };
}

/// Mostly moderate values, some of each special kind.
template <class T>
Matrix<T> arguments(int64_t rows, int64_t columns, uint64_t seed) {
  Draws draws(seed);
  return filled<T>(rows, columns, kGarbage<T>, [&] {
    switch (draws.integer(0, 9)) {
      case 0:
        return 0.0;
      case 1:
        return -0.0;
      case 2:
        return draws.uniform(-80, 80);
      case 3:
        return draws.uniform(-1e-3, 1e-3);
      default:
        return draws.uniform(-6, 6);
    }
  });
}

template <class T>
Matrix<T> forward(const std::string& isa, const ActivationArgs<T>& f, const Matrix<T>& z) {
  Matrix<T> y(z.rows, z.columns);
  kernels_of<T>(isa).activation_forward(f, z.data(), y.data());
  return y;
}

template <class T>
Matrix<T> backward(const std::string& isa, const ActivationArgs<T>& f, const Matrix<T>& z,
                   const Matrix<T>& y, const Matrix<T>& dy) {
  Matrix<T> dz(z.rows, z.columns);
  kernels_of<T>(isa).activation_backward(f, z.data(), y.data(), dy.data(), dz.data());
  return dz;
}

template <class T>
void check_formulas() {
  for (const Formula& formula : formulas()) {
    CAPTURE(formula.name);
    for (int64_t columns = 1; columns <= 35; ++columns) {
      CAPTURE(columns);
      const Matrix<T> z = arguments<T>(5, columns, 100 + static_cast<uint64_t>(columns));
      const Matrix<T> dy = arguments<T>(5, columns, 200 + static_cast<uint64_t>(columns));
      const ActivationArgs<T> f{
          {formula.kind,
           {static_cast<T>(formula.parameter), static_cast<T>(formula.second_parameter)}},
          5,
          columns,
          z.stride};
      const Matrix<T> y = forward("portable", f, z);
      const Matrix<T> dz = backward("portable", f, z, y, dy);
      int64_t wrong = 0;
      for (int64_t i = 0; i < 5; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
          const auto x = static_cast<double>(z(i, j));
          wrong += !near(y(i, j), formula.value(x), 16);
          wrong += !near(dz(i, j) / (dy(i, j) == 0 ? T(1) : dy(i, j)),
                         dy(i, j) == 0 ? 0.0 : formula.derivative(x), 32);
        }
      }
      CHECK(wrong == 0);

      Matrix<T> in_place = dy;
      kernels_of<T>("portable")
          .activation_backward(f, z.data(), y.data(), in_place.data(), in_place.data());
      CHECK(same_bits(in_place, dz));

      for (const std::string& isa : vector_isas()) {
        CAPTURE(isa);
        CHECK(same_bits(forward(isa, f, z), y));
        CHECK(same_bits(backward(isa, f, z, y, dy), dz));
      }
    }
  }
}

template <class T>
void check_softmax(double scale) {
  for (int64_t columns = 1; columns <= 35; ++columns) {
    CAPTURE(columns);
    Draws draws(static_cast<uint64_t>(columns));
    const auto draw = [&] { return draws.uniform(-scale, scale); };
    const Matrix<T> z = filled<T>(4, columns, kGarbage<T>, draw);
    const Matrix<T> dy = filled<T>(4, columns, kGarbage<T>, [&] { return draws.uniform(-1, 1); });
    const ActivationArgs<T> f{{ActivationKind::softmax, {}}, 4, columns, z.stride};
    const Matrix<T> y = forward("portable", f, z);
    const Matrix<T> dz = backward("portable", f, z, y, dy);
    for (int64_t i = 0; i < 4; ++i) {
      double top = -std::numeric_limits<double>::infinity(), total = 0.0, inner = 0.0;
      std::vector<double> p(static_cast<size_t>(columns));
      for (int64_t j = 0; j < columns; ++j) top = std::max(top, static_cast<double>(z(i, j)));
      for (int64_t j = 0; j < columns; ++j) total += std::exp(static_cast<double>(z(i, j)) - top);
      for (int64_t j = 0; j < columns; ++j) {
        p[static_cast<size_t>(j)] = std::exp(static_cast<double>(z(i, j)) - top) / total;
        inner += p[static_cast<size_t>(j)] * static_cast<double>(dy(i, j));
      }
      for (int64_t j = 0; j < columns; ++j) {
        const double pj = p[static_cast<size_t>(j)];
        CHECK(near(y(i, j), pj, 16));
        CHECK(near(dz(i, j), pj * (static_cast<double>(dy(i, j)) - inner), 16));
      }
    }
    for (const std::string& isa : vector_isas()) {
      CAPTURE(isa);
      CHECK(same_bits(forward(isa, f, z), y));
      CHECK(same_bits(backward(isa, f, z, y, dy), dz));
    }
  }
}

bool smooth(ActivationKind kind) {
  return kind != ActivationKind::linear && kind != ActivationKind::relu &&
         kind != ActivationKind::leaky_relu && kind != ActivationKind::relu6 &&
         kind != ActivationKind::hard_sigmoid;
}

template <class T>
void check_nan(const std::string& isa) {
  std::vector<Formula> all = formulas();
  all.push_back({"softmax", ActivationKind::softmax, 0.0, {}, {}});
  for (const Formula& formula : all) {
    CAPTURE(formula.name);
    Matrix<T> z(1, 3, T(0));
    z(0, 1) = std::numeric_limits<T>::quiet_NaN();
    const ActivationArgs<T> f{
        {formula.kind,
         {static_cast<T>(formula.parameter), static_cast<T>(formula.second_parameter)}},
        1,
        3,
        z.stride};
    const Matrix<T> y = forward(isa, f, z);
    CHECK(std::isnan(y(0, 1)));
    const Matrix<T> ones = filled<T>(1, 3, T(0), [] { return 1.0; });
    const T dz = backward(isa, f, z, y, ones)(0, 1);
    // Derivatives of pieces that are straight have no z in them.
    if (smooth(formula.kind)) CHECK(std::isnan(dz));
  }
}

/// What an activation and its slope are where z is so large, or infinite, that they are at their
/// limits.
struct Tail {
  const char* name;
  ActivationKind kind;
  double parameter;
  double derivative_below, derivative_above;  // as z goes to -infinity and to infinity
  std::function<double(double)> value;
  double second_parameter = 0.0;
};

template <class T>
std::vector<Tail> tails() {
  using K = ActivationKind;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto ramp = [](double z) { return std::max(z, 0.0); };
  return {
      {"linear", K::linear, 0.0, 1.0, 1.0, [](double z) { return z; }},
      {"relu", K::relu, 0.0, 0.0, 1.0, ramp},
      {"leaky_relu", K::leaky_relu, 0.25, 0.25, 1.0,
       [](double z) { return z > 0.0 ? z : 0.25 * z; }},
      {"leaky_relu of slope 0", K::leaky_relu, 0.0, 0.0, 1.0, ramp},
      {"elu", K::elu, 1.5, 0.0, 1.0, [](double z) { return z > 0.0 ? z : -1.5; }},
      {"gelu", K::gelu, 0.0, 0.0, 1.0, ramp},
      {"gelu_tanh", K::gelu_tanh, 0.0, 0.0, 1.0, ramp},
      {"silu", K::silu, 0.0, 0.0, 1.0, ramp},
      {"sigmoid", K::sigmoid, 0.0, 0.0, 0.0, [](double z) { return z > 0.0 ? 1.0 : 0.0; }},
      {"tanh", K::tanh, 0.0, 0.0, 0.0, [](double z) { return z > 0.0 ? 1.0 : -1.0; }},
      {"softplus", K::softplus, 0.0, 0.0, 1.0, ramp},
      {"selu", K::selu, 0.0, 0.0, static_cast<double>(T(1.0507009873554805)),
       [](double z) {
         return z > 0.0 ? static_cast<double>(T(1.0507009873554805) * T(z)) : -1.7580993408473766;
       }},
      {"mish", K::mish, 0.0, 0.0, 1.0, ramp},
      {"hard_sigmoid", K::hard_sigmoid, 0.125, 0.0, 0.0,
       [](double z) { return z > 0.0 ? 1.0 : 0.0; }, 0.25},
      {"hard_swish", K::hard_swish, 0.0, 0.0, 1.0, ramp},
      {"relu6", K::relu6, 0.0, 0.0, 0.0, [](double z) { return z > 0.0 ? 6.0 : 0.0; }},
      {"exponential", K::exponential, 0.0, 0.0, infinity,
       [](double z) { return z > 0.0 ? infinity : 0.0; }},
  };
}

template <class T>
void check_tails(const std::string& isa) {
  using Limits = std::numeric_limits<T>;
  // The squares and cubes of the larger ones overflow.
  const std::vector<T> sizes = {T(1000),   T(1024), T(1e6),        T(1e13),
                                T(1.9e19), T(1e38), Limits::max(), Limits::infinity()};
  const auto count = static_cast<int64_t>(sizes.size());
  for (const Tail& tail : tails<T>()) {
    CAPTURE(tail.name);
    Matrix<T> z(2, count);
    const Matrix<T> ones = filled<T>(2, count, T(0), [] { return 1.0; });
    for (int64_t j = 0; j < count; ++j) {
      z(0, j) = sizes[static_cast<size_t>(j)];
      z(1, j) = -z(0, j);
    }
    const ActivationArgs<T> f{
        {tail.kind, {static_cast<T>(tail.parameter), static_cast<T>(tail.second_parameter)}},
        2,
        count,
        z.stride};
    const Matrix<T> y = forward(isa, f, z);
    const Matrix<T> dz = backward(isa, f, z, y, ones);
    CHECK(same_bits(y, forward("portable", f, z)));
    CHECK(same_bits(dz, backward("portable", f, z, y, ones)));
    for (int64_t j = 0; j < count; ++j) {
      CAPTURE(z(0, j));
      for (int64_t i = 0; i < 2; ++i)
        CHECK(y(i, j) == static_cast<T>(tail.value(static_cast<double>(z(i, j)))));
      CHECK(dz(0, j) == static_cast<T>(tail.derivative_above));
      CHECK(dz(1, j) == static_cast<T>(tail.derivative_below));
    }
  }
}

/// It comes near its limits as slowly as 1 / z.
template <class T>
void check_softsign_tails(const std::string& isa) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  Matrix<T> z(1, 4);
  z(0, 0) = infinity;
  z(0, 1) = -infinity;
  z(0, 2) = std::numeric_limits<T>::max();
  z(0, 3) = T(-1e20);
  const Matrix<T> ones = filled<T>(1, 4, T(0), [] { return 1.0; });
  const ActivationArgs<T> f{{ActivationKind::softsign, {}}, 1, 4, z.stride};
  const Matrix<T> y = forward(isa, f, z);
  const Matrix<T> dz = backward(isa, f, z, y, ones);
  for (int64_t j = 0; j < 4; ++j) {
    CHECK(y(0, j) == (z(0, j) > T(0) ? T(1) : T(-1)));
    CHECK(near(dz(0, j), 0.0, 1));
  }
}

template <class T>
void check_softmax_tails(const std::string& isa) {
  using Limits = std::numeric_limits<T>;
  Matrix<T> z(2, 3);
  z(0, 0) = z(0, 1) = Limits::max();
  z(0, 2) = Limits::lowest();
  z(1, 0) = T(0);
  z(1, 1) = -Limits::infinity();
  z(1, 2) = Limits::lowest();
  const Matrix<T> dy = filled<T>(2, 3, T(0), [] { return 1.0; });
  const ActivationArgs<T> f{{ActivationKind::softmax, {}}, 2, 3, z.stride};
  const Matrix<T> y = forward(isa, f, z);
  const double expected[2][3] = {{0.5, 0.5, 0.0}, {1.0, 0.0, 0.0}};
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < 3; ++j) CHECK(y(i, j) == static_cast<T>(expected[i][j]));
  const Matrix<T> dz = backward(isa, f, z, y, dy);
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < 3; ++j) CHECK(dz(i, j) == T(0));
}

template <class T>
void check_softmax_padding(const std::string& isa) {
  Matrix<T> z(1, 3, T(0));
  for (int64_t j = 0; j < 3; ++j) z(0, j) = T(-1e4);
  const ActivationArgs<T> f{{ActivationKind::softmax, {}}, 1, 3, z.stride};
  const Matrix<T> y = forward(isa, f, z);
  for (int64_t j = 0; j < y.stride; ++j) CHECK(std::isfinite(y(0, j)));
}

}  // namespace

TEST_CASE("elementwise activations follow their formulas, with the same bits everywhere") {
  SUBCASE("float") { check_formulas<float>(); }
  SUBCASE("double") { check_formulas<double>(); }
}

TEST_CASE("softmax follows its formula, however large the logits") {
  for (const double scale : {1.0, 30.0, 1e4}) {
    CAPTURE(scale);
    check_softmax<float>(scale);
    check_softmax<double>(scale);
  }
}

TEST_CASE("activations pass NaN on") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_nan<float>(isa);
    check_nan<double>(isa);
  }
}

TEST_CASE("activations and their slopes reach their limits, however large or infinite z is") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_tails<float>(isa);
    check_tails<double>(isa);
    check_softsign_tails<float>(isa);
    check_softsign_tails<double>(isa);
    check_softmax_tails<float>(isa);
    check_softmax_tails<double>(isa);
  }
}

TEST_CASE("softmax leaves finite padding behind it, as later stages add it up") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_softmax_padding<float>(isa);
    check_softmax_padding<double>(isa);
  }
}
