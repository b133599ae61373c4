// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "chainrule/layers.hpp"
#include "engine/buffer.hpp"
#include "engine/inference/small_weights.hpp"
#include "engine/parameters.hpp"
#include "matrices.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;
using kernels::ActivationKind;

using Numbers = std::vector<float>;

size_t index(int64_t i) { return static_cast<size_t>(i); }

/// The nearest of the two floats around it whose lower 16 bits are zero; a tie goes to the even.
float bfloat16(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, 4);
  const uint32_t below = bits & 0xffff0000U;
  const uint32_t rest = bits - below;
  const bool up = rest > 0x8000U || (rest == 0x8000U && (below >> 16) % 2 == 1);
  const uint32_t rounded = below + (up ? 0x10000U : 0U);
  std::memcpy(&value, &rounded, 4);
  return value;
}

struct Example {
  int64_t rows, inputs, units;
  Numbers x, weight, bias;

  Example(int64_t rows_, int64_t inputs_, int64_t units_, double low, double density)
      : rows(rows_), inputs(inputs_), units(units_) {
    Draws draws(static_cast<uint64_t>(rows * 7919 + inputs * 1000 + units));
    for (int64_t i = 0; i < inputs * units; ++i)
      weight.push_back(static_cast<float>(draws.uniform(-1, 1)));
    for (int64_t j = 0; j < units; ++j) bias.push_back(static_cast<float>(draws.uniform(-1, 1)));
    for (int64_t i = 0; i < rows * inputs; ++i)
      x.push_back(draws.uniform(0, 1) < density ? static_cast<float>(draws.uniform(low, 1)) : 0.0f);
  }

  /// Sums in the order of the inputs.
  Numbers in_bfloat16() const {
    Numbers y;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < units; ++j) {
        float sum = bias[index(j)];
        for (int64_t k = 0; k < inputs; ++k)
          sum = std::fma(x[index(r * inputs + k)], bfloat16(weight[index(k * units + j)]), sum);
        y.push_back(sum);
      }
    return y;
  }

  Numbers in_int8(InputRange range) const {
    const float step = (range.high - range.low) / 127.0f;
    const auto zero = static_cast<int64_t>(std::nearbyint(-range.low / step));
    Numbers y(index(rows * units));
    for (int64_t j = 0; j < units; ++j) {
      float largest = 0;
      for (int64_t k = 0; k < inputs; ++k)
        largest = std::max(largest, std::abs(weight[index(k * units + j)]));
      const float scale = int8_scale(largest);
      for (int64_t r = 0; r < rows; ++r) {
        int64_t sum = 0;
        for (int64_t k = 0; k < inputs; ++k) {
          const float real =
              std::fma(x[index(r * inputs + k)], 1.0f / step, static_cast<float>(zero));
          const auto q = static_cast<int64_t>(std::min(std::max(real, 0.0f), 127.0f) + 0.5f);
          sum += (q - zero) * std::lrint(weight[index(k * units + j)] / scale);
        }
        y[index(r * units + j)] = std::fma(static_cast<float>(sum), step * scale, bias[index(j)]);
      }
    }
    return y;
  }

  /// `lists`: the terms that are zero are left out.
  Numbers by_kernel(const kernels::KernelTable<float>& k, const Quantization& quantization,
                    bool lists) const {
    engine::Parameters<float> parameters(Graph::chain({Dense(units)}, inputs), k.panel);
    const engine::Parameter* w = parameters.find(0, "weight");
    const engine::Parameter* b = parameters.find(0, "bias");
    parameters.pack(*w, weight.data(), parameters.values.data());
    parameters.pack(*b, bias.data(), parameters.values.data());
    engine::SmallWeights small(k, quantization);
    small.add({w->shape, parameters.at(w), parameters.at(b), {ActivationKind::linear, {}}});
    small.check_ranges();
    small.pack();
    // A single row without lists may be a caller's memory, behind which nothing may be read.
    const int64_t stride = rows > 1 || lists ? padded_columns<float>(inputs) : inputs;
    Numbers padded(index(rows * stride), kGarbage<float>);
    for (int64_t r = 0; r < rows; ++r)
      std::copy_n(&x[index(r * inputs)], inputs, &padded[index(r * stride)]);
    const int64_t y_stride = padded_columns<float>(units);
    engine::Buffer<float> y(rows * y_stride);
    engine::Buffer<uint8_t> scratch(small.scratch_bytes(0, rows));
    std::vector<int32_t> terms(index(inputs + 16));
    small.forward(0, rows, padded.data(), stride, y.data(), y_stride,
                  lists ? terms.data() : nullptr, scratch.data());
    Numbers result;
    for (int64_t r = 0; r < rows; ++r)
      result.insert(result.end(), y.data() + r * y_stride, y.data() + r * y_stride + units);
    return result;
  }
};

/// Shapes around every panel, group of panels, word of weights and tile of rows.
template <class Check>
void each_example(double low, Check check) {
  for (const int64_t units : {1, 15, 16, 17, 31, 32, 48, 63, 64, 65, 100, 128, 200})
    for (const int64_t rows : {1, 7}) check(Example(rows, 37, units, low, 0.5));
  for (const int64_t inputs : {1, 2, 3, 4, 5, 63, 64, 65, 130, 515})
    for (const double density : {0.0, 0.2, 1.0})
      for (const int64_t rows : {1, 4, 6}) check(Example(rows, inputs, 40, low, density));
}

}  // namespace

TEST_CASE("products with bfloat16 weights have the bits of plain loops over rounded weights") {
  each_example(-1, [](const Example& example) {
    const Numbers expected = example.in_bfloat16();
    for (const std::string& isa : kernels::available()) {
      CAPTURE(isa);
      CAPTURE(example.inputs);
      CAPTURE(example.units);
      for (const bool lists : {true, false})
        CHECK(example.by_kernel(kernels_of<float>(isa), {WeightType::bfloat16, {}}, lists) ==
              expected);
    }
  });
}

TEST_CASE("products with int8 weights have the bits of plain loops over integers") {
  for (const InputRange range : {InputRange{0, 0.9f}, InputRange{-0.8f, 1}}) {
    each_example(range.low, [&](const Example& example) {
      const Numbers expected = example.in_int8(range);
      for (const std::string& isa : kernels::available()) {
        CAPTURE(isa);
        CAPTURE(example.inputs);
        CAPTURE(example.units);
        kernels::KernelTable<float> k = kernels_of<float>(isa);
        for (const bool lists : {true, false}) {
          CHECK(example.by_kernel(k, {WeightType::int8, {range}}, lists) == expected);
          kernels::KernelTable<float> without = k;
          without.int8_vnni_forward = nullptr;
          CHECK(example.by_kernel(without, {WeightType::int8, {range}}, lists) == expected);
        }
      }
    });
  }
}

TEST_CASE("the largest integers do not overflow") {
  Example example(5, 1000, 20, 1, 1);
  std::fill(example.weight.begin(), example.weight.end(), -3.0f);
  for (const std::string& isa : kernels::available()) {
    CAPTURE(isa);
    kernels::KernelTable<float> k = kernels_of<float>(isa);
    const Quantization quantization{WeightType::int8, {{0, 1}}};
    const Numbers expected = example.in_int8({0, 1});
    CHECK(example.by_kernel(k, quantization, true) == expected);
    k.int8_vnni_forward = nullptr;
    CHECK(example.by_kernel(k, quantization, true) == expected);
  }
}

TEST_CASE("a scale times an integer is exact, and has itself for the scale of such products") {
  Draws draws(3);
  for (int i = 0; i < 1000; ++i) {
    const auto largest = static_cast<float>(std::exp(draws.uniform(-60, 60)));
    const float scale = int8_scale(largest);
    CHECK(std::abs(scale * 127.0 / static_cast<double>(largest) - 1) < 1e-5);
    for (int q = 1; q <= 127; ++q)
      CHECK(static_cast<double>(scale * static_cast<float>(q)) == static_cast<double>(scale) * q);
    CHECK(int8_scale(scale * 127.0f) == scale);
  }
  CHECK(int8_scale(0.0f) == 1.0f);
}
