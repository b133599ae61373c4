// SPDX-License-Identifier: Apache-2.0
// Convolutions of each channel by itself against plain loops, to the last bit: the sums run in the
// order that the layer states, whatever the tiles, threads and instruction sets.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/convolution_layers.hpp"
#include "matrices.hpp"
#include "model/convolution.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;
using model::Window;

struct Case {
  int64_t height, width, channels;
  int64_t kernel[2];
  int64_t strides[2] = {1, 1};
  Padding padding = Padding::valid;
  int64_t dilation[2] = {1, 1};
  int64_t multiplier = 1;

  DepthwiseConv2D layer() const {
    DepthwiseConv2D conv({kernel[0], kernel[1]});
    conv.strides = {strides[0], strides[1]};
    conv.dilation = {dilation[0], dilation[1]};
    conv.padding = padding;
    conv.depth_multiplier = multiplier;
    conv.bias_initializer = Initializer::defaults(Initializer::Kind::uniform);
    return conv;
  }
};

const std::vector<Case> kCases{
    {5, 6, 1, {3, 3}},
    {9, 8, 20, {3, 2}, {1, 1}, Padding::same},
    {7, 7, 16, {3, 3}, {2, 2}, Padding::same},
    {8, 9, 4, {2, 4}, {3, 2}},
    {9, 9, 70, {2, 3}, {1, 1}, Padding::same, {3, 2}},
    {9, 8, 33, {3, 3}, {3, 2}, Padding::same, {2, 2}},
    {6, 5, 17, {1, 1}, {3, 3}},
    {3, 2, 5, {7, 5}, {1, 1}, Padding::same},
    {6, 21, 8, {6, 9}},
    {7, 6, 3, {3, 2}, {2, 1}, Padding::same, {1, 1}, 2},
    {5, 8, 11, {2, 3}, {1, 1}, Padding::valid, {2, 1}, 5},
};

/// Calls visit(image, output, input, tap) for each term in the order of the outputs' sums, that is
/// image, output row and column, kernel row and column; terms outside the image are left out.
template <class Visit>
void for_terms(const Window& y, const Window& x, int64_t rows, Visit visit) {
  for (int64_t n = 0; n < rows; ++n)
    for (int64_t oi = 0; oi < y.outputs; ++oi)
      for (int64_t oj = 0; oj < x.outputs; ++oj)
        for (int64_t ki = 0; ki < y.size; ++ki)
          for (int64_t kj = 0; kj < x.size; ++kj) {
            const int64_t i = oi * y.stride - y.before + ki * y.dilation;
            const int64_t j = oj * x.stride - x.before + kj * x.dilation;
            if (i >= 0 && i < y.inputs && j >= 0 && j < x.inputs)
              visit((n * y.outputs + oi) * x.outputs + oj, (n * y.inputs + i) * x.inputs + j,
                    ki * x.size + kj);
          }
}

template <class T>
std::vector<T> drawn(int64_t size, uint64_t seed) {
  Draws draws(seed);
  std::vector<T> values(static_cast<size_t>(size));
  for (T& value : values) value = static_cast<T>(draws.uniform(-1, 1));
  return values;
}

/// The layer as a network's, with its gradients by hand. Outputs come in order to each input and to
/// each kernel position too, so one loop over all terms adds up all three.
template <class T>
void check_layer(const Case& c, int64_t rows, int threads) {
  const std::vector<Window> windows = model::windows_of(c.layer(), {c.height, c.width, c.channels});
  Graph graph;
  graph.output(graph.add(c.layer(), graph.input({c.height, c.width, c.channels}), "conv"));
  Network<T> network(graph, 5);
  const std::vector<T> x = drawn<T>(rows * network.inputs(), 1);
  const std::vector<T> dy = drawn<T>(rows * network.outputs(), 2);
  const std::vector<T> w = parameter(network, "conv.weight");
  const std::vector<T> b = parameter(network, "conv.bias");
  std::vector<T> y(dy.size()), dx(x.size()), dw(w.size()), db(b.size());
  std::vector<T> sums_y, sums_dx(x.size()), sums_dw(w.size()), sums_db(b.size());
  for (size_t i = 0; i < dy.size(); ++i) {
    sums_y.push_back(b[i % b.size()]);
    sums_db[i % b.size()] += dy[i];
  }
  // With several outputs each input has its sums one for each of them, added from the last on.
  const int64_t m = c.multiplier, columns = c.channels * m;
  std::vector<T> partial(x.size() * size_t(m));
  for_terms(windows[0], windows[1], rows, [&](int64_t output, int64_t input, int64_t tap) {
    for (int64_t k = 0; k < columns; ++k) {
      const auto o = size_t(output * columns + k);
      const auto i = size_t(input * c.channels + k / m);
      const auto t = size_t(tap * columns + k);
      sums_y[o] = std::fma(x[i], w[t], sums_y[o]);
      T& sum = partial[size_t(input * columns + k)];
      sum = std::fma(dy[o], w[t], sum);
      sums_dw[t] = std::fma(x[i], dy[o], sums_dw[t]);
    }
  });
  for (size_t i = 0; i < sums_dx.size(); ++i)
    for (size_t j = size_t(m); j-- > 0;) sums_dx[i] += partial[i * size_t(m) + j];
  const RowsView rows_of_x = view(x.data(), rows, network.inputs());
  CHECK(same_bits(network.predict(rows_of_x), sums_y));
  network.forward(rows_of_x, true, threads, y.data());
  CHECK(same_bits(y, sums_y));
  network.backward(view(dy.data(), rows, network.outputs()), dx.data());
  CHECK(same_bits(dx, sums_dx));
  network.get_gradient("conv.weight", dw.data());
  network.get_gradient("conv.bias", db.data());
  CHECK(same_bits(dw, sums_dw));
  CHECK(same_bits(db, sums_db));
}

}  // namespace

TEST_CASE("a depthwise convolution and its gradients are sums in a stated order") {
  for (const Case& c : kCases) {
    CAPTURE(Shape({c.height, c.width, c.channels, c.kernel[0], c.kernel[1]}).text());
    check_layer<float>(c, 3, 1);
    check_layer<double>(c, 2, 1);
  }
  for (const int threads : {2, 3, 7}) {
    CAPTURE(threads);
    for (const size_t i : {1, 2, 5}) check_layer<float>(kCases[i], 70, threads);
  }
}
