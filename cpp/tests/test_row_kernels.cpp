// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/layers.hpp"
#include "engine/buffer.hpp"
#include "engine/parameters.hpp"
#include "matrices.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;
using kernels::ActivationKind;

/// x W + b in the order of the inputs, by plain loops.
template <class T>
std::vector<T> plain(const std::vector<T>& x, const std::vector<T>& weight,
                     const std::vector<T>& bias) {
  std::vector<T> y = bias;
  for (size_t k = 0; k < x.size(); ++k) {
    for (size_t j = 0; j < y.size(); ++j) y[j] = std::fma(x[k], weight[k * y.size() + j], y[j]);
  }
  return y;
}

template <class T>
void check_row(const std::string& isa, int64_t inputs, int64_t units, double density) {
  CAPTURE(isa);
  CAPTURE(inputs);
  CAPTURE(units);
  CAPTURE(density);
  const kernels::KernelTable<T>& k = kernels_of<T>(isa);
  Draws draws(static_cast<uint64_t>(inputs * 1000 + units));
  std::vector<T> weight, bias, x;
  for (int64_t i = 0; i < inputs * units; ++i)
    weight.push_back(static_cast<T>(draws.uniform(-1, 1)));
  for (int64_t j = 0; j < units; ++j) bias.push_back(static_cast<T>(draws.uniform(-1, 1)));
  for (int64_t i = 0; i < inputs; ++i)
    x.push_back(draws.uniform(0, 1) < density ? static_cast<T>(draws.uniform(-1, 1)) : T(0));

  engine::Parameters<T> parameters(Graph::chain({Dense(units)}, inputs), k.panel);
  const engine::Parameter* w = parameters.find(0, "weight");
  const engine::Parameter* b = parameters.find(0, "bias");
  parameters.pack(*w, weight.data(), parameters.values.data());
  parameters.pack(*b, bias.data(), parameters.values.data());
  std::vector<T> padded_x = x;
  padded_x.resize(static_cast<size_t>(padded_columns<T>(inputs)), kGarbage<T>);
  std::vector<int32_t> terms(static_cast<size_t>(inputs + 16));
  engine::Buffer<T> y(padded_columns<T>(units));

  const std::vector<T> expected = plain(x, weight, bias);
  for (const bool use_bias : {true, false})
    for (const bool lists : {true, false}) {
      CAPTURE(use_bias);
      CAPTURE(lists);
      const kernels::RowArgs<T> f{w->shape,
                                  parameters.at(w),
                                  use_bias ? parameters.at(b) : nullptr,
                                  {ActivationKind::linear, {}}};
      // Without lists the row's padding must not be read: it may be a caller's memory.
      k.forward_row(f, lists ? padded_x.data() : x.data(), y.data(),
                    lists ? terms.data() : nullptr);
      const std::vector<T> want =
          use_bias ? expected : plain(x, weight, std::vector<T>(static_cast<size_t>(units)));
      CHECK(std::vector<T>(y.data(), y.data() + units) == want);
    }
  const kernels::RowArgs<T> relu{
      w->shape, parameters.at(w), parameters.at(b), {ActivationKind::relu, {}}};
  k.forward_row(relu, padded_x.data(), y.data(), terms.data());
  for (int64_t j = 0; j < units; ++j)
    CHECK(y.data()[j] == std::max(expected[static_cast<size_t>(j)], T(0)));
}

/// Nine terms from the fourth of 16 on.
template <class T>
void check_terms(const std::string& isa, int64_t units, bool backwards) {
  CAPTURE(isa);
  CAPTURE(units);
  CAPTURE(backwards);
  const kernels::KernelTable<T>& k = kernels_of<T>(isa);
  Draws draws(static_cast<uint64_t>(units));
  std::vector<T> weight, start, x;
  for (int64_t i = 0; i < 16 * units; ++i) weight.push_back(static_cast<T>(draws.uniform(-1, 1)));
  for (int64_t i = 0; i < 9; ++i) x.push_back(static_cast<T>(draws.uniform(-1, 1)));
  engine::Parameters<T> parameters(Graph::chain({Dense(units)}, 16), k.panel);
  const engine::Parameter* w = parameters.find(0, "weight");
  parameters.pack(*w, weight.data(), parameters.values.data());
  engine::Buffer<T> sums(padded_columns<T>(units));
  for (int64_t j = 0; j < units; ++j) {
    sums.data()[j] = static_cast<T>(draws.uniform(-1, 1));
    start.push_back(sums.data()[j]);
  }

  k.forward_row_terms({w->shape, parameters.at(w), sums.data(), {ActivationKind::relu, {}}},
                      {3, 9, backwards}, x.data(), sums.data());
  const auto from = weight.begin() + 3 * units;
  std::vector<T> want = plain(x, std::vector<T>(from, from + 9 * units), start);
  for (T& v : want) v = std::max(v, T(0));
  CHECK(std::vector<T>(sums.data(), sums.data() + units) == want);
}

/// Strips of a table of 7 terms x 3 lines, each of which begins with what the one behind it had.
template <class T>
void check_strips(const std::string& isa, int64_t count) {
  CAPTURE(isa);
  CAPTURE(count);
  constexpr int64_t line = kernels::kRowAlignment<T>, stride = 3 * line, terms = 7;
  Draws draws(static_cast<uint64_t>(count));
  std::vector<T> weight, sums, x;
  for (int64_t i = 0; i < terms * stride + count; ++i)
    weight.push_back(static_cast<T>(draws.uniform(-1, 1)));
  for (int64_t i = 0; i < (count + 1) * line; ++i)
    sums.push_back(static_cast<T>(draws.uniform(-1, 1)));
  for (int64_t k = 0; k < terms; ++k) x.push_back(static_cast<T>(draws.uniform(-1, 1)));
  std::vector<kernels::RowStrip<T>> strips;
  std::vector<T> want;
  for (int64_t i = 0; i < count; ++i) {
    const T* w = weight.data() + i % 3 * line + i / 3;
    T* to = sums.data() + i * line;
    strips.push_back({w, to + line, to});
    for (int64_t j = 0; j < line; ++j) {
      T sum = to[line + j];
      for (int64_t k = 0; k < terms; ++k)
        sum = std::fma(x[static_cast<size_t>(k)], w[k * stride + j], sum);
      want.push_back(sum);
    }
  }
  want.insert(want.end(), sums.end() - line, sums.end());
  kernels_of<T>(isa).row_strips(strips.data(), count, x.data(), terms, stride);
  CHECK(sums == want);
}

}  // namespace

TEST_CASE_TEMPLATE("strips of a row's sums have the bits of plain loops", T, float, double) {
  for (const std::string& isa : kernels::available())
    for (int64_t count = 1; count < 20; ++count) check_strips<T>(isa, count);
}

TEST_CASE_TEMPLATE("some terms of a row have the bits of plain loops", T, float, double) {
  for (const std::string& isa : kernels::available())
    for (const int64_t units : {1, 16, 40, 64, 100, 128, 192, 200, 300})
      for (const bool backwards : {false, true}) check_terms<T>(isa, units, backwards);
}

TEST_CASE_TEMPLATE("a row times a matrix has the bits of plain loops", T, float, double) {
  for (const std::string& isa : kernels::available()) {
    // Widths around every panel and every group of panels, inputs around a word of bits.
    for (const int64_t units : {1, 7, 8, 16, 17, 31, 32, 48, 63, 64, 65, 100, 127, 128, 150, 200})
      check_row<T>(isa, 37, units, 0.5);
    for (const int64_t inputs : {1, 2, 15, 63, 64, 65, 128, 200})
      for (const double density : {0.0, 0.3, 1.0}) check_row<T>(isa, inputs, 40, density);
  }
}

TEST_CASE_TEMPLATE("a row's NaN is not taken for zero", T, float, double) {
  for (const std::string& isa : kernels::available()) {
    CAPTURE(isa);
    const kernels::KernelTable<T>& k = kernels_of<T>(isa);
    engine::Parameters<T> parameters(Graph::chain({Dense(3)}, 70), k.panel);
    const engine::Parameter* w = parameters.find(0, "weight");
    engine::Buffer<T> x(padded_columns<T>(70));
    engine::Buffer<T> y(padded_columns<T>(3));
    std::vector<int32_t> terms(86);
    x.data()[69] = kGarbage<T>;
    k.forward_row({w->shape, parameters.at(w), nullptr, {ActivationKind::linear, {}}}, x.data(),
                  y.data(), terms.data());
    for (int64_t j = 0; j < 3; ++j) CHECK(std::isnan(y.data()[j]));
  }
}
