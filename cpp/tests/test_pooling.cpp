// SPDX-License-Identifier: Apache-2.0
// Windows of positions: what plain loops give, to the bit, by every instruction set, and the same
// of layers for any number of threads.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "chainrule/any_model.hpp"
#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/pooling_layers.hpp"
#include "chainrule/shape_layers.hpp"
#include "engine/stages/windows.hpp"
#include "matrices.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;
using engine::AxisSpans;
using engine::Windows;
using kernels::Span;

constexpr int64_t kBatch = 3;

/// Windows of a size at a stride, the first of them so far before the axis, cut off at its ends.
AxisSpans axis(int64_t extent, int64_t size, int64_t stride, int64_t before = 0) {
  AxisSpans result{extent, {}};
  for (int64_t begin = -before; begin + size - before <= extent; begin += stride)
    result.spans.push_back({std::max<int64_t>(begin, 0), std::min(begin + size, extent)});
  return result;
}

/// Windows that lie side by side, overlap, leave gaps, are cut off, cover all, or are empty.
std::vector<Windows> all_windows() {
  return {Windows({axis(6, 2, 2), axis(7, 2, 2)}),
          Windows({axis(5, 3, 1), axis(7, 3, 2)}),
          Windows({axis(7, 2, 3), axis(8, 1, 2)}),
          Windows({axis(5, 3, 2, 1), axis(4, 2, 1, 1)}),
          Windows({axis(9, 9, 9)}),
          Windows({axis(9, 4, 3)}),
          Windows({AxisSpans{2, {{0, 0}, {0, 1}, {1, 2}, {0, 0}}}, axis(3, 1, 1)})};
}

/// Calls visit(p) for the positions of window q, in (row, column) order.
template <class Visit>
void each_position(const kernels::WindowShape& f, int64_t q, Visit visit) {
  const Span rows = f.rows[q / f.y_width];
  const Span columns = f.columns[q % f.y_width];
  for (int64_t i = rows.begin; i < rows.end; ++i)
    for (int64_t j = columns.begin; j < columns.end; ++j) visit(i * f.x_width + j);
}

template <class T>
bool is_larger(T value, T largest) {
  return !std::isnan(largest) && (std::isnan(value) || value > largest);
}

/// The position of the first largest number of window q in one column.
template <class T>
int64_t chosen(const kernels::WindowShape& f, const Matrix<T>& x, int64_t first, int64_t q,
               int64_t column) {
  int64_t best = -1;
  each_position(f, q, [&](int64_t p) {
    if (best < 0 || is_larger(x(first + p, column), x(first + best, column))) best = p;
  });
  return best;
}

/// Few different numbers, so that many are equal, zeros of both signs and NaN among them.
template <class T>
Matrix<T> numbers_with_ties(int64_t rows, int64_t columns) {
  Draws draws(static_cast<uint64_t>(rows + columns));
  return filled<T>(rows, columns, kGarbage<T>, [&] {
    const int64_t drawn = draws.integer(-3, 3);
    if (drawn == 3) return std::numeric_limits<double>::quiet_NaN();
    return drawn == 0 ? -0.0 : drawn == 1 ? 0.0 : static_cast<double>(drawn);
  });
}

template <class T>
void check_largest(const std::string& isa, const Windows& windows, int64_t columns) {
  const kernels::WindowShape f = windows.shape();
  const int64_t x_positions = windows.x_positions(), y_positions = windows.y_positions();
  const Matrix<T> x = numbers_with_ties<T>(kBatch * x_positions, columns);
  Draws draws(5);
  const Matrix<T> dy =
      filled<T>(kBatch * y_positions, columns, T(0), [&] { return draws.uniform(-2, 2); });
  Matrix<T> y(dy.rows, columns, kGarbage<T>), expected_y(dy.rows, columns);
  Matrix<T> dx(x.rows, columns, kGarbage<T>), expected_dx(x.rows, columns);
  for (int64_t n = 0; n < kBatch; ++n)
    for (int64_t q = 0; q < y_positions; ++q)
      for (int64_t c = 0; c < columns; ++c) {
        const int64_t row = n * x_positions + chosen(f, x, n * x_positions, q, c);
        expected_y(n * y_positions + q, c) = x(row, c);
        expected_dx(row, c) += dy(n * y_positions + q, c);
      }
  const kernels::KernelTable<T>& k = kernels_of<T>(isa);
  k.max_windows(f, kBatch, x.stride, x.data(), y.data());
  CHECK(same_bits(y, expected_y));
  Matrix<T> noting_y(dy.rows, columns, kGarbage<T>);
  std::vector<kernels::WindowChoice<T>> choices(y.values.size());
  k.max_windows_noting(f, kBatch, x.stride, x.data(), noting_y.data(), choices.data());
  CHECK(same_bits(noting_y, expected_y));

  const std::vector<int64_t> holders = windows.reversed().counts();
  const bool disjoint = *std::max_element(holders.begin(), holders.end()) <= 1;
  std::vector<int64_t> cleared;
  for (int64_t p = 0; p < x_positions; ++p)
    if (!disjoint || holders[static_cast<size_t>(p)] == 0) cleared.push_back(p);
  k.max_windows_backward(f, {disjoint, cleared.data(), static_cast<int64_t>(cleared.size())},
                         kBatch, x.stride, choices.data(), dy.data(), dx.data());
  for (size_t i = 0; i < dx.values.size(); ++i)  // zeros of either sign, and zeros in the padding
    CHECK(dx.values[i] == expected_dx.values[i]);
}

template <class T>
void check_sums(const std::string& isa, const Windows& windows, int64_t columns) {
  const kernels::WindowShape f = windows.shape();
  const int64_t x_positions = windows.x_positions(), y_positions = windows.y_positions();
  Draws draws(static_cast<uint64_t>(columns));
  const auto draw = [&] { return draws.uniform(-2, 2); };
  const Matrix<T> x = filled<T>(kBatch * x_positions, columns, T(0), draw);
  const Matrix<T> of_x = filled<T>(1, x_positions, T(0), draw);
  const Matrix<T> of_y = filled<T>(1, y_positions, T(0), draw);
  for (const bool weighted : {false, true}) {
    Matrix<T> y(kBatch * y_positions, columns, kGarbage<T>), expected(y.rows, columns);
    for (int64_t n = 0; n < kBatch; ++n)
      for (int64_t q = 0; q < y_positions; ++q)
        for (int64_t c = 0; c < columns; ++c) {
          T sum = T(0);
          bool first = true;
          each_position(f, q, [&](int64_t p) {
            const T value = x(n * x_positions + p, c);
            const T term = weighted ? value * of_x(0, p) : value;
            sum = first ? term : sum + term;
            first = false;
          });
          expected(n * y_positions + q, c) = weighted ? sum : sum * of_y(0, q);
        }
    kernels_of<T>(isa).sum_windows(
        f, {weighted ? of_x.data() : nullptr, weighted ? nullptr : of_y.data()}, kBatch, x.stride,
        x.data(), y.data());
    CHECK(same_bits(y, expected));
  }
}

template <class T>
void check_windows(const std::string& isa) {
  for (const Windows& windows : all_windows()) {
    for (const int64_t columns : {1, 8, 17, 33, 64, 70}) {
      CAPTURE(columns);
      check_sums<T>(isa, windows, columns);
      check_sums<T>(isa, windows.reversed(), columns);
      const std::vector<int64_t> counts = windows.counts();
      if (*std::min_element(counts.begin(), counts.end()) > 0)
        check_largest<T>(isa, windows, columns);
    }
  }
}

/// Layers on an input of one shape, and what each gives for place (i, j) of its output.
const Shape kImage{6, 7, 5};

struct Case {
  AnyLayer layer;
  Shape made;
};

std::vector<Case> cases() {
  return {{MaxPooling(), {3, 3, 5}},
          {MaxPooling({3, 2}, {2, 1}), {2, 6, 5}},
          {MaxPooling({3}, {2}, Padding::same), {3, 4, 5}},
          {AveragePooling(), {3, 3, 5}},
          {AveragePooling({3}, {2}, Padding::same), {3, 4, 5}},
          {GlobalMaxPooling(), {5}},
          {UpSampling({2, 3}), {12, 21, 5}},
          {ZeroPadding({1, 0, 2, 3}), {7, 12, 5}},
          {Cropping({2, 1}), {2, 5, 5}}};
}

struct Passed {
  std::vector<float> y, dx;

  bool operator==(const Passed&) const = default;
};

Passed pass(const AnyLayer& layer, int threads) {
  Graph graph;
  graph.output(graph.add(layer, graph.input(kImage)));
  Network<float> network(graph, 1);
  constexpr int64_t rows = 50;
  Draws draws(3);
  std::vector<float> x(static_cast<size_t>(rows * network.inputs()));
  for (float& value : x) value = static_cast<float>(draws.integer(-4, 4));
  Passed passed;
  passed.y.resize(static_cast<size_t>(rows * network.outputs()));
  network.forward(view(x.data(), rows, network.inputs()), true, threads, passed.y.data());
  std::vector<float> dy(passed.y.size());
  for (float& value : dy) value = static_cast<float>(draws.uniform(-1, 1));
  passed.dx.resize(x.size());
  network.backward(view(dy.data(), rows, network.outputs()), passed.dx.data());
  return passed;
}

}  // namespace

TEST_CASE("windows give the sums and largest numbers of plain loops, and their gradients") {
  for (const std::string& isa : kernels::available()) {
    CAPTURE(isa);
    check_windows<float>(isa);
    check_windows<double>(isa);
  }
}

TEST_CASE("layers over positions have the shapes of Keras, and one set of bits for all threads") {
  for (const Case& each : cases()) {
    CAPTURE(each.layer->kind());
    CHECK(each.layer->output_shape({kImage}) == each.made);
    const Passed one = pass(each.layer, 1);
    for (const int threads : {2, 3, 7}) CHECK(pass(each.layer, threads) == one);
  }
}

TEST_CASE("a window that reverses twice is the same") {
  for (const Windows& windows : all_windows()) {
    const Windows again = windows.reversed().reversed();
    CHECK(again.counts() == windows.counts());
    CHECK(again.x_positions() == windows.x_positions());
  }
}

TEST_CASE("layers over positions refuse what does not fit") {
  const auto refused = [](const Layer& layer, const Shape& shape, const char* text) {
    CHECK_THROWS_WITH_AS(layer.output_shape({shape}), text, Error);
  };
  refused(MaxPooling({7}), kImage,
          "max_pooling: pool_size must fit the input, got windows that span 7 of 6 along axis 0 of "
          "(6, 7, 5); padding 'same' gives it room");
  refused(MaxPooling({2}, {0}), kImage, "max_pooling: strides must be >= 1, got 0");
  refused(MaxPooling({2}, {}, Padding::causal), kImage,
          "max_pooling: padding must be 'valid' or 'same', got 'causal'");
  refused(AveragePooling(), 5,
          "average_pooling: it reads (time, features) or (height, width, channels), got rows of "
          "shape (5,)");
  refused(GlobalMaxPooling(), 5,
          "global_max_pooling: it takes the largest over positions, as of (time, features) or "
          "(height, width, channels), and there are none in (5,)");
  refused(UpSampling({2, 2, 2}), kImage, "up_sampling: size must be one integer or 2, got 3");
  refused(ZeroPadding({1, 2, 3}), kImage,
          "zero_padding: padding must be one integer, (height, width), or (top, bottom, left, "
          "right) for rows of shape (6, 7, 5), got 3 integers");
  refused(ZeroPadding(std::vector<int64_t>{}), kImage,
          "zero_padding: padding must be one integer or more, got none");
  refused(Cropping({3}), kImage,
          "cropping: cropping must leave some of each axis, got 3 + 3 of 6 along axis 0 of (6, 7, "
          "5)");
  refused(UpSampling({int64_t{1} << 31}), kImage,
          "up_sampling: size must be at most 2^30, got 2147483648");
}

TEST_CASE("layers over positions survive the way to a config and back") {
  const Config configs[] = {
      {"max_pooling",
       {{"pool_size", std::vector<double>{2, 3}}, {"strides", int64_t{1}}, {"padding", "same"}}},
      {"average_pooling", {{"pool_size", int64_t{3}}, {"padding", "valid"}}},
      {"global_max_pooling", {}},
      {"up_sampling", {{"size", std::vector<double>{1, 2}}}},
      {"zero_padding", {{"padding", std::vector<double>{1, 2, 3, 4}}}},
      {"cropping", {{"cropping", int64_t{0}}}}};
  for (const Config& config : configs) {
    CAPTURE(config.kind);
    CHECK(Layer::from_config(config)->config() == config);
  }
}
