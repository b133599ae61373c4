// SPDX-License-Identifier: Apache-2.0
// How many multiply-adds a row takes, by which the number of threads is chosen.
#include <doctest/doctest.h>

#include <cstdint>

#include "chainrule/convolution_layers.hpp"
#include "chainrule/shape_layers.hpp"
#include "engine/multiply_adds.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

double count(const Layers& layers, const Shape& input) {
  return engine::multiply_adds(Graph::chain(layers, input));
}

template <class L>
L with(L layer, std::int64_t strides, Padding padding, std::int64_t dilation = 1) {
  layer.strides = {strides};
  layer.padding = padding;
  layer.dilation = {dilation};
  return layer;
}

}  // namespace

TEST_CASE("dense layers multiply at each position") {
  CHECK(count({dense(5)}, 7) == 7 * 5);
  CHECK(count({dense(5), dense(2)}, {4, 7}) == 4 * (7 * 5 + 5 * 2));
  CHECK(count({CategoryEncoding(100), dense(5)}, 3) == 3 * 5);
}

TEST_CASE("convolutions multiply the kernel at each place of its windows") {
  const Shape image{9, 8, 3};
  CHECK(count({Conv2D(4, {3, 2})}, image) == 7 * 7 * (3 * 2 * 3 * 4));
  CHECK(count({with(Conv2D(4, {3, 2}), 2, Padding::valid)}, image) == 4 * 4 * (3 * 2 * 3 * 4));
  CHECK(count({with(Conv2D(4, {3}), 2, Padding::same)}, image) == 5 * 4 * (3 * 3 * 3 * 4));
  CHECK(count({with(Conv1D(5, {3}), 1, Padding::causal, 2)}, {20, 6}) == 20 * (3 * 6 * 5));
  CHECK(count({with(DepthwiseConv2D({3}), 2, Padding::same)}, image) == 5 * 4 * (3 * 3 * 3));
  DepthwiseConv2D several({3});
  several.depth_multiplier = 4;
  CHECK(count({several}, image) == 7 * 6 * (3 * 3 * 3 * 4));
}

TEST_CASE("transposed convolutions spread each of their inputs") {
  const Shape image{4, 5, 3};
  CHECK(count({Conv2DTranspose(6, {3})}, image) == 4 * 5 * (3 * 3 * 6 * 3));
  CHECK(count({with(Conv2DTranspose(6, {2}), 3, Padding::same)}, image) == 4 * 5 * (2 * 2 * 6 * 3));
}

TEST_CASE("what follows a convolution reads its filters") {
  const Layers layers = {Conv2D(4, {3}), Flatten(), dense(2)};
  CHECK(count(layers, {5, 5, 1}) == 9 * (9 * 4) + 9 * 4 * 2);
}
