// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/dispatch.hpp"
#include "ulp.hpp"

namespace {

using namespace chainrule::kernels;

constexpr double kMaxUlp = 2.0;  // what docs/vector-math.md promises

/// Bit patterns at a stride that shares no factor with 2^32: all exponents, both signs, NaN.
void sample(std::vector<float>& x) {
#ifdef CHAINRULE_TEST_QUICK
  constexpr uint32_t stride = 16411;
#else
  constexpr uint32_t stride = 4099;
#endif
  x.resize((uint64_t(1) << 32) / stride);
  for (size_t i = 0; i < x.size(); ++i) {
    const uint32_t bits = uint32_t(i) * stride;
    std::memcpy(&x[i], &bits, sizeof(bits));
  }
}

void sample(std::vector<double>& x) {
  x.resize(200000);
  sample_doubles(1, x);
}

template <class T>
std::vector<T> evaluate(const std::string& isa, MathFunction function, const std::vector<T>& x) {
  std::vector<T> y(x.size());
  named<T>(isa).math(function, x.data(), y.data(), int64_t(x.size()));
  return y;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// At the limits the results are exact, down to the sign of zero.
template <class T>
struct Limit {
  MathFunction function;
  T argument;
  T expected;
};

template <class T>
std::vector<Limit<T>> limits() {
  using F = MathFunction;
  const T inf = std::numeric_limits<T>::infinity();
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const T max = std::numeric_limits<T>::max();
  const T tiny = std::numeric_limits<T>::denorm_min();
  const T zero = T(0);
  const T below_minus_one = std::nextafter(T(-1), T(-2));
  return {{F::exp, inf, inf},       {F::exp, -inf, zero},     {F::exp, max, inf},
          {F::exp, -max, zero},     {F::exp, zero, 1},        {F::exp, -zero, 1},
          {F::expm1, inf, inf},     {F::expm1, -inf, -1},     {F::expm1, max, inf},
          {F::expm1, zero, zero},   {F::expm1, -zero, -zero}, {F::expm1, tiny, tiny},
          {F::expm1, -tiny, -tiny}, {F::log, zero, -inf},     {F::log, -zero, -inf},
          {F::log, inf, inf},       {F::log, -inf, nan},      {F::log, -tiny, nan},
          {F::log, -1, nan},        {F::log, 1, zero},        {F::log1p, inf, inf},
          {F::log1p, -inf, nan},    {F::log1p, -1, -inf},     {F::log1p, below_minus_one, nan},
          {F::log1p, zero, zero},   {F::log1p, -zero, -zero}, {F::log1p, tiny, tiny},
          {F::log1p, -tiny, -tiny}, {F::tanh, inf, 1},        {F::tanh, -inf, -1},
          {F::tanh, max, 1},        {F::tanh, T(-20), -1},    {F::tanh, zero, zero},
          {F::tanh, -zero, -zero},  {F::tanh, tiny, tiny},    {F::tanh, -tiny, -tiny},
          {F::sigmoid, inf, 1},     {F::sigmoid, -inf, zero}, {F::sigmoid, max, 1},
          {F::sigmoid, T(40), 1},   {F::sigmoid, -max, zero}, {F::sigmoid, zero, T(0.5)},
          {F::sigmoid, -zero, 0.5}, {F::erf, inf, 1},         {F::erf, -inf, -1},
          {F::erf, T(6), 1},        {F::erf, T(-6), -1},      {F::erf, zero, zero},
          {F::erf, -zero, -zero},   {F::erf, tiny, tiny},     {F::erf, -tiny, -tiny},
          {F::sin_pi, inf, nan},    {F::sin_pi, zero, zero},  {F::sin_pi, T(-1.5), 1},
          {F::sin_pi, max, zero},   {F::cos_pi, -inf, nan},   {F::cos_pi, zero, 1},
          {F::cos_pi, T(-3), -1},   {F::cos_pi, max, 1}};
}

}  // namespace

TEST_CASE_TEMPLATE("elementary functions are accurate on every instruction set", T, float, double) {
  std::vector<T> x;
  sample(x);
  REQUIRE(x.size() >= 200000);
  for (const MathFunction function : kMathFunctions) {
    CAPTURE(name(function));
    std::vector<Wide<T>> exact(x.size());
    std::transform(x.begin(), x.end(), exact.begin(),
                   [&](T v) { return exact_value(function, v); });
    for (const std::string& isa : available()) {
      CAPTURE(isa);
      const std::vector<T> y = evaluate(isa, function, x);
      double worst = 0.0;
      for (size_t i = 0; i < x.size(); ++i) worst = std::max(worst, ulp_error(y[i], exact[i]));
      CHECK(worst <= kMaxUlp);
      CHECK(worst > 0.0);  // a comparison with itself would find no error at all
    }
  }
}

TEST_CASE_TEMPLATE("elementary functions give the same bits on every instruction set", T, float,
                   double) {
  std::vector<T> x;
  sample(x);
  for (const MathFunction function : kMathFunctions) {
    CAPTURE(name(function));
    const std::vector<T> portable = evaluate("portable", function, x);
    for (const std::string& isa : available()) {
      CAPTURE(isa);
      CHECK(same_bits(evaluate(isa, function, x), portable));
    }
  }
}

TEST_CASE_TEMPLATE("elementary functions reach their limits exactly", T, float, double) {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    for (const Limit<T>& limit : limits<T>()) {
      CAPTURE(name(limit.function));
      CAPTURE(limit.argument);
      const T y = evaluate(isa, limit.function, std::vector<T>{limit.argument})[0];
      if (std::isnan(limit.expected)) {
        CHECK(std::isnan(y));
      } else {
        CHECK(y == limit.expected);
        CHECK(std::signbit(y) == std::signbit(limit.expected));
      }
    }
    for (const MathFunction function : kMathFunctions) {
      CAPTURE(name(function));
      const T nan = std::numeric_limits<T>::quiet_NaN();
      CHECK(std::isnan(evaluate(isa, function, std::vector<T>{nan})[0]));
    }
  }
}

TEST_CASE_TEMPLATE("results underflow gradually", T, float, double) {
  const T smallest = std::numeric_limits<T>::min();
  const std::vector<T> x{std::log(smallest) - T(5)};
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    for (const MathFunction function : {MathFunction::exp, MathFunction::sigmoid}) {
      CAPTURE(name(function));
      const T y = evaluate(isa, function, x)[0];
      CHECK(y > T(0));
      CHECK(y < smallest);
    }
  }
}

TEST_CASE_TEMPLATE("a value's result does not depend on the array around it", T, float, double) {
  std::vector<T> x(67);
  for (size_t i = 0; i < x.size(); ++i) x[i] = T(i) * T(0.11) - T(3);
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    for (const MathFunction function : kMathFunctions) {
      CAPTURE(name(function));
      const std::vector<T> whole = evaluate(isa, function, x);
      for (size_t n = 0; n <= x.size(); ++n) {
        CAPTURE(n);
        std::vector<T> in_place = x;
        named<T>(isa).math(function, in_place.data(), in_place.data(), int64_t(n));
        std::vector<T> expected = x;
        std::copy_n(whole.begin(), n, expected.begin());
        CHECK(same_bits(in_place, expected));
      }
    }
  }
}
