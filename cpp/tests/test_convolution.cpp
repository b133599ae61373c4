// SPDX-License-Identifier: Apache-2.0
// Convolutions against plain loops, to the last bit: the sums run in the order that the layer
// states, one fused multiply-add a term, whatever the tiles, blocks, threads and instruction sets.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/convolution_layers.hpp"
#include "chainrule/error.hpp"
#include "engine/stages/convolution_windows.hpp"
#include "matrices.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;
using model::Window;

/// One convolution: what it works on, by plain loops over the definition.
struct Case {
  int64_t height, width, channels, filters;
  int64_t kernel[2];
  int64_t strides[2] = {1, 1};
  Padding padding = Padding::valid;
  int64_t dilation[2] = {1, 1};

  template <class Layer>
  Layer layer_of(int64_t outputs) const {
    Layer conv(outputs, {kernel[0], kernel[1]});
    conv.strides = {strides[0], strides[1]};
    conv.dilation = {dilation[0], dilation[1]};
    conv.padding = padding;
    conv.bias_initializer = Initializer::defaults(Initializer::Kind::uniform);
    return conv;
  }
  Conv2D layer() const { return layer_of<Conv2D>(filters); }
  std::vector<Window> windows() const {
    const Conv2D conv = layer();
    return model::windows_of(
        "conv2d", {height, width, channels}, 2,
        {"kernel_size", conv.kernel_size, conv.strides, conv.dilation, conv.padding});
  }
  std::string text() const {
    return Shape{height, width, channels}.text() + " -> " + std::to_string(filters) + " by " +
           Shape{kernel[0], kernel[1]}.text() + ", strides " +
           Shape{strides[0], strides[1]}.text() + ", dilation " +
           Shape{dilation[0], dilation[1]}.text() + ", padding " +
           std::string(model::padding_names.name(padding));
  }
};

const std::vector<Case> kCases{
    {5, 6, 1, 3, {3, 3}},
    {9, 8, 3, 17, {3, 2}, {1, 1}, Padding::same},
    {7, 7, 2, 8, {3, 3}, {2, 2}, Padding::same},
    {8, 9, 4, 5, {2, 4}, {3, 2}},
    {9, 9, 2, 33, {2, 3}, {1, 1}, Padding::same, {3, 2}},
    {9, 8, 3, 4, {3, 3}, {3, 2}, Padding::same, {2, 2}},
    {6, 5, 17, 70, {1, 1}, {3, 3}},
    {4, 4, 16, 16, {1, 1}},
    {3, 2, 5, 20, {5, 5}, {1, 1}, Padding::same},
    {1, 23, 6, 9, {1, 5}, {1, 1}, Padding::same},
    {6, 6, 40, 50, {6, 6}},
    {12, 12, 1, 24, {5, 5}},
};

/// Arrays of one case, row-major without padding, and the sums over them.
template <class T>
struct Plain {
  Plain(const Case& case_, int64_t rows_)
      : y(case_.windows()[0]), x(case_.windows()[1]), c(case_), rows(rows_) {}

  int64_t outputs() const { return y.outputs * x.outputs; }
  int64_t terms() const { return y.size * x.size * c.channels; }
  T input(const std::vector<T>& images, int64_t n, int64_t i, int64_t j, int64_t channel) const {
    if (i < 0 || i >= c.height || j < 0 || j >= c.width) return T(0);
    return images[size_t(((n * c.height + i) * c.width + j) * c.channels + channel)];
  }
  /// Calls visit(kernel row, kernel column, channel, term) in order.
  template <class Visit>
  void for_terms(Visit visit) const {
    int64_t term = 0;
    for (int64_t i = 0; i < y.size; ++i)
      for (int64_t j = 0; j < x.size; ++j)
        for (int64_t k = 0; k < c.channels; ++k) visit(i, j, k, term++);
  }
  /// Calls visit(image, output row, output column, output) in order.
  template <class Visit>
  void for_outputs(Visit visit) const {
    int64_t output = 0;
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t i = 0; i < y.outputs; ++i)
        for (int64_t j = 0; j < x.outputs; ++j) visit(n, i, j, output++);
  }
  T term(const std::vector<T>& images, int64_t n, int64_t oi, int64_t oj, int64_t i, int64_t j,
         int64_t channel) const {
    return input(images, n, oi * y.stride - y.before + i * y.dilation,
                 oj * x.stride - x.before + j * x.dilation, channel);
  }

  std::vector<T> forward(const std::vector<T>& images, const std::vector<T>& w,
                         const std::vector<T>& bias) const {
    std::vector<T> result;
    for_outputs([&](int64_t n, int64_t oi, int64_t oj, int64_t) {
      for (int64_t f = 0; f < c.filters; ++f) {
        T sum = bias[size_t(f)];
        for_terms([&](int64_t i, int64_t j, int64_t k, int64_t t) {
          sum = std::fma(term(images, n, oi, oj, i, j, k), w[size_t(t * c.filters + f)], sum);
        });
        result.push_back(sum);
      }
    });
    return result;
  }
  std::vector<T> weight_gradient(const std::vector<T>& images, const std::vector<T>& dy) const {
    std::vector<T> result;
    for_terms([&](int64_t i, int64_t j, int64_t k, int64_t) {
      for (int64_t f = 0; f < c.filters; ++f) {
        T sum = 0;
        for_outputs([&](int64_t n, int64_t oi, int64_t oj, int64_t o) {
          sum = std::fma(term(images, n, oi, oj, i, j, k), dy[size_t(o * c.filters + f)], sum);
        });
        result.push_back(sum);
      }
    });
    return result;
  }
  std::vector<T> bias_gradient(const std::vector<T>& dy) const {
    std::vector<T> sums(size_t(c.filters), T(0));
    for (size_t i = 0; i < dy.size(); ++i) sums[i % size_t(c.filters)] += dy[i];
    return sums;
  }
  /// Each sum begins at the channel's bias.
  std::vector<T> input_gradient(const std::vector<T>& w, const std::vector<T>& dy,
                                const std::vector<T>& bias) const {
    std::vector<T> result;
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t i = 0; i < c.height; ++i)
        for (int64_t j = 0; j < c.width; ++j)
          for (int64_t k = 0; k < c.channels; ++k) {
            T sum = bias[size_t(k)];
            for (int64_t ki = y.size; ki-- > 0;)
              for (int64_t kj = x.size; kj-- > 0;) {
                const int64_t oi = i + y.before - ki * y.dilation;
                const int64_t oj = j + x.before - kj * x.dilation;
                if (oi < 0 || oj < 0 || oi % y.stride || oj % x.stride) continue;
                if (oi / y.stride >= y.outputs || oj / x.stride >= x.outputs) continue;
                const int64_t o = (n * y.outputs + oi / y.stride) * x.outputs + oj / x.stride;
                const int64_t t = (ki * x.size + kj) * c.channels + k;
                for (int64_t f = 0; f < c.filters; ++f)
                  sum = std::fma(dy[size_t(o * c.filters + f)], w[size_t(t * c.filters + f)], sum);
              }
            result.push_back(sum);
          }
    return result;
  }

  Window y, x;
  Case c;
  int64_t rows;
};

template <class T>
std::vector<T> drawn(int64_t size, uint64_t seed) {
  Draws draws(seed);
  std::vector<T> values(static_cast<size_t>(size));
  for (T& value : values) value = static_cast<T>(draws.uniform(-1, 1));
  return values;
}

/// The layer as a network's, with its gradients by hand: on rows as the caller has them, or on
/// positions whose rows are padded, as behind most layers.
template <class T>
void check_layer(const Case& c, int64_t rows, int threads, bool on_positions = false) {
  const Plain<T> plain(c, rows);
  Graph graph;
  Graph::Tensor read = graph.input({c.height, c.width, c.channels});
  if (on_positions) read = graph.add(ActivationLayer(), read);
  graph.output(graph.add(c.layer(), read, "conv"));
  Network<T> network(graph, 5);
  const std::vector<T> x = drawn<T>(rows * network.inputs(), 1);
  const std::vector<T> dy = drawn<T>(rows * network.outputs(), 2);
  const std::vector<T> w = parameter(network, "conv.weight");
  const std::vector<T> expected = plain.forward(x, w, parameter(network, "conv.bias"));
  const RowsView rows_of_x = view(x.data(), rows, network.inputs());
  CHECK(same_bits(network.predict(rows_of_x), expected));
  std::vector<T> y(dy.size()), dx(x.size());
  network.forward(rows_of_x, true, threads, y.data());
  CHECK(same_bits(y, expected));
  network.backward(view(dy.data(), rows, network.outputs()), dx.data());
  CHECK(same_bits(dx, plain.input_gradient(w, dy, std::vector<T>(size_t(c.channels), T(0)))));
  std::vector<T> dw(w.size()), db(static_cast<size_t>(c.filters));
  network.get_gradient("conv.weight", dw.data());
  network.get_gradient("conv.bias", db.data());
  CHECK(same_bits(dw, plain.weight_gradient(x, dy)));
  CHECK(same_bits(db, plain.bias_gradient(dy)));
}

/// The layer's transpose, from its outputs to an image from which it would make as many.
template <class T>
void check_transpose(const Case& of, int64_t rows, int threads) {
  const auto layer = of.layer_of<Conv2DTranspose>(of.channels);
  const Shape read{of.windows()[0].outputs, of.windows()[1].outputs, of.filters};
  const Shape made = layer.output_shape({read});
  Case c = of;
  c.height = made.extents()[0];
  c.width = made.extents()[1];
  const Plain<T> plain(c, rows);
  REQUIRE(plain.outputs() == read.positions());
  Graph graph;
  graph.output(graph.add(layer, graph.input(read), "conv"));
  Network<T> network(graph, 5);
  const std::vector<T> x = drawn<T>(rows * network.inputs(), 1);
  const std::vector<T> dy = drawn<T>(rows * network.outputs(), 2);
  const std::vector<T> w = parameter(network, "conv.weight");
  const std::vector<T> expected = plain.input_gradient(w, x, parameter(network, "conv.bias"));
  const RowsView rows_of_x = view(x.data(), rows, network.inputs());
  CHECK(same_bits(network.predict(rows_of_x), expected));
  std::vector<T> y(dy.size()), dx(x.size());
  network.forward(rows_of_x, true, threads, y.data());
  CHECK(same_bits(y, expected));
  network.backward(view(dy.data(), rows, network.outputs()), dx.data());
  CHECK(same_bits(dx, plain.forward(dy, w, std::vector<T>(size_t(c.filters), T(0)))));
  std::vector<T> dw(w.size()), db(static_cast<size_t>(c.channels)), sums(db.size());
  network.get_gradient("conv.weight", dw.data());
  network.get_gradient("conv.bias", db.data());
  CHECK(same_bits(dw, plain.weight_gradient(dy, x)));
  for (size_t i = 0; i < dy.size(); ++i) sums[i % sums.size()] += dy[i];
  CHECK(same_bits(db, sums));
}

/// The kernels of one instruction set, on images with borders that they make themselves.
template <class T>
void check_kernels(const std::string& isa, const Case& c) {
  constexpr int64_t images = 3;
  const auto& kernels = kernels_of<T>(isa);
  const Plain<T> plain(c, images);
  const std::vector<T> x = drawn<T>(images * c.height * c.width * c.channels, 1);
  const std::vector<T> w = drawn<T>(plain.terms() * c.filters, 2);
  Matrix<T> bias(1, c.filters), y(images * plain.outputs(), c.filters, kGarbage<T>);
  const std::vector<T> b = drawn<T>(c.filters, 3);
  std::copy(b.begin(), b.end(), bias.data());
  const kernels::PanelShape shape{plain.terms(), c.filters, kernels.panel,
                                  kernels::kRowAlignment<T>};
  const auto size = static_cast<size_t>(plain.terms() * y.stride);
  std::vector<T> packed(size, T(0)), g(size, kGarbage<T>);
  for (int64_t t = 0; t < shape.rows; ++t)
    for (int64_t f = 0; f < c.filters; ++f)
      packed[size_t(shape.index(t, f))] = w[size_t(t * c.filters + f)];

  const engine::ForwardWindows windows(plain.y, plain.x, c.channels, y.stride);
  const engine::Border& border = windows.border;
  const int64_t image = windows.height * windows.width * c.channels;
  std::vector<T> bordered(size_t(images * image), kGarbage<T>);
  const int64_t x_image = c.height * c.width * c.channels;
  kernels.add_border({images, c.height, c.width, c.channels, border.top, border.bottom, border.left,
                      border.right, x.data(), x_image, c.channels, bordered.data()});
  kernels.convolve({shape, packed.data(), 0, bias.data(), windows.terms.data(),
                    int64_t(windows.terms.size()), windows.places.data(),
                    int64_t(windows.places.size()), images, bordered.data(), image, y.data(),
                    plain.outputs() * y.stride});
  const std::vector<T> expected = plain.forward(x, w, b);
  int64_t wrong = 0;
  for (int64_t i = 0; i < y.rows; ++i)
    for (int64_t j = 0; j < y.stride; ++j)
      wrong += y.data()[i * y.stride + j] !=
               (j < c.filters ? expected[size_t(i * c.filters + j)] : T(0));
  CHECK(wrong == 0);

  // In two parts of images and of terms, with few rows of outputs at a time.
  const std::vector<T> sums = plain.weight_gradient(x, expected);
  for (int64_t panel = 0; panel < shape.panels(); ++panel) {
    const int64_t half = (shape.rows + 1) / 2;
    for (const int64_t begin : {int64_t{0}, half}) {
      for (const int64_t first : {0, 1}) {
        const int64_t count = first == 0 ? 1 : images - 1;
        kernels.convolution_gradient(
            {shape, panel, begin, begin == 0 ? half : shape.rows, windows.rows.data(),
             windows.output_rows.data(), int64_t(windows.output_rows.size()), windows.step, 2,
             count, bordered.data() + first * image, image,
             y.data() + first * plain.outputs() * y.stride + panel * shape.panel, y.stride,
             g.data() + shape.offset(panel) + begin * shape.width(panel), first > 0});
      }
    }
  }
  wrong = 0;
  for (int64_t t = 0; t < shape.rows; ++t)
    for (int64_t f = 0; f < c.filters; ++f)
      wrong += g[size_t(shape.index(t, f))] != sums[size_t(t * c.filters + f)];
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("a convolution and its gradients are sums in a stated order") {
  for (const Case& c : kCases) {
    CAPTURE(c.text());
    check_layer<float>(c, 3, 1);
    check_layer<double>(c, 2, 1);
    check_layer<float>(c, 3, 1, true);
  }
}

TEST_CASE("threads do not change a bit of a convolution") {
  for (const int threads : {2, 3, 7}) {
    CAPTURE(threads);
    for (const size_t i : {1, 2, 5}) check_layer<float>(kCases[i], 70, threads, i == 2);
  }
}

TEST_CASE("a transposed convolution and its gradients are a convolution's, exchanged") {
  for (const Case& c : kCases) {
    CAPTURE(c.text());
    check_transpose<float>(c, 3, 1);
    check_transpose<double>(c, 2, 1);
  }
  for (const int threads : {2, 3, 7}) {
    CAPTURE(threads);
    for (const size_t i : {1, 2, 5}) check_transpose<float>(kCases[i], 70, threads);
  }
}

TEST_CASE("a transposed convolution gives as many outputs as Keras'") {
  const auto outputs = [](int64_t inputs, int64_t size, int64_t stride, Padding padding) {
    Conv2DTranspose layer(1, {size});
    layer.strides = {stride};
    layer.padding = padding;
    return layer.output_shape({{inputs, inputs, 2}}).extents()[0];
  };
  CHECK(outputs(4, 3, 1, Padding::valid) == 6);
  CHECK(outputs(4, 3, 2, Padding::valid) == 9);
  CHECK(outputs(4, 2, 3, Padding::valid) == 12);
  CHECK(outputs(4, 3, 2, Padding::same) == 8);
  CHECK(outputs(4, 2, 3, Padding::same) == 12);
  CHECK(outputs(1, 7, 1, Padding::same) == 1);
}

TEST_CASE("every instruction set gives the bits of the plain loops") {
  for (const std::string& isa : kernels::available()) {
    CAPTURE(isa);
    for (const Case& c : kCases) {
      CAPTURE(c.text());
      check_kernels<float>(isa, c);
      check_kernels<double>(isa, c);
    }
  }
}

TEST_CASE("windows lie where the padding puts them") {
  const auto window = [](int64_t inputs, int64_t size, int64_t stride, Padding padding) {
    const std::vector<int64_t> sizes{size}, strides{stride}, one{1};
    return model::windows_of("conv1d", {inputs, 2}, 1,
                             {"kernel_size", sizes, strides, one, padding})[0];
  };
  // TensorFlow's: the larger half of an odd number of zeros comes behind.
  const Window same = window(7, 2, 1, Padding::same);
  CHECK(same.before == 0);
  CHECK(same.behind == 1);
  CHECK(same.outputs == 7);
  CHECK(window(8, 3, 2, Padding::same).before == 0);
  CHECK(window(8, 3, 2, Padding::same).outputs == 4);
  CHECK(window(9, 3, 2, Padding::same).before == 1);
  CHECK(window(7, 5, 1, Padding::causal).before == 4);
  CHECK(window(7, 5, 1, Padding::causal).outputs == 7);
  CHECK(window(7, 3, 2, Padding::valid).outputs == 3);
}

TEST_CASE("convolutions that cannot be are refused") {
  const auto refuses = [](const Conv2D& layer, const Shape& shape, const char* text) {
    CHECK_THROWS_WITH_AS(layer.output_shape({shape}), doctest::Contains(text), Error);
  };
  const Shape image{4, 5, 3};
  refuses(Conv2D(2, {5, 1}), image, "windows that span 5 of 4 along axis 0 of (4, 5, 3)");
  refuses(Conv2D(2, {1, 2, 3}), image, "kernel_size must be one integer or 2, got 3");
  refuses(Conv2D(2, {}), image, "kernel_size is missing");
  refuses(Conv2D(0, {1}), image, "filters must be >= 1, got 0");
  refuses(Conv2D(2, {1}), {60}, "it reads (height, width, channels), got rows of shape (60,)");
  Conv2D strided(2, {1});
  strided.strides = {1, 0};
  refuses(strided, image, "strides[1] must be >= 1, got 0");
  Conv2D causal(2, {1});
  causal.padding = Padding::causal;
  refuses(causal, image, "padding 'causal' is for (time, features) alone");
  refuses(Conv2D(int64_t{1} << 47, {2}), image, "at most 2^48");
}
