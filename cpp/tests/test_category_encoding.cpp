// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/predictor.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

using Mode = CategoryEncoding::OutputMode;

constexpr int64_t kRows = 150;
const std::vector<int64_t> kCounts{3, 40, 1, 700};

CategoryEncoding encoding(Mode mode) {
  return mode == Mode::one_hot ? CategoryEncoding(kCounts) : CategoryEncoding(40, mode);
}

/// Rows of categories, in which a row often has one twice where columns share them.
std::vector<int32_t> categories(Mode mode) {
  Draws draws(3);
  std::vector<int32_t> x;
  for (int64_t i = 0; i < kRows; ++i) {
    for (const int64_t count : kCounts)
      x.push_back(static_cast<int32_t>(draws.integer(0, mode == Mode::one_hot ? count - 1 : 9)));
  }
  return x;
}

/// What the layer should make of them.
std::vector<double> table(Mode mode, const std::vector<int32_t>& x, int64_t outputs) {
  std::vector<double> y(static_cast<size_t>(kRows * outputs), 0.0);
  for (size_t i = 0; i < static_cast<size_t>(kRows); ++i) {
    size_t first = i * static_cast<size_t>(outputs);
    for (size_t j = 0; j < kCounts.size(); ++j) {
      double& place = y[first + static_cast<size_t>(x[i * kCounts.size() + j])];
      place = mode == Mode::count ? place + 1.0 : 1.0;
      if (mode == Mode::one_hot) first += static_cast<size_t>(kCounts[j]);
    }
  }
  return y;
}

/// Those that move every weight in every step, and some that do not.
std::vector<Optimizer> rules() {
  std::vector<Optimizer> all = optimizers();
  all.push_back(optimizer(Optimizer::Kind::sgd, 0.05));
  all.push_back(optimizer(Optimizer::Kind::adagrad, 0.05));
  return all;
}

Layers hidden() { return {dense(70, Activation::Kind::relu), dense(5)}; }

Layers behind(const CategoryEncoding& front, const Layers& rest) {
  Layers all{front};
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

/// The parameters and what is remembered of them, without the layers' numbers.
template <class T>
std::vector<std::vector<T>> arrays(const Snapshot<T>& snapshot) {
  std::vector<std::vector<T>> values;
  for (const auto& [name, array] : snapshot.arrays) values.push_back(array);
  return values;
}

}  // namespace

TEST_CASE_TEMPLATE("training and prediction have the bits of the encoded table", T, float, double) {
  const DataSet data(kRows, 4, 5);
  for (const Mode mode : {Mode::one_hot, Mode::multi_hot, Mode::count}) {
    CAPTURE(static_cast<int>(mode));
    const std::vector<int32_t> x = categories(mode);
    const int64_t outputs = encoding(mode).output_shape({4}).columns();
    const std::vector<double> encoded = table(mode, x, outputs);
    for (const Optimizer& rule : rules()) {
      CAPTURE(static_cast<int>(rule.kind()));
      for (const int threads : {1, 3}) {
        Network<T> fused(behind(encoding(mode), hidden()), 4, 7), plain(hidden(), outputs, 7);
        // First values go by a parameter's place among all, which the encoding does not change.
        EpochOptions o = options(32, threads);
        for (int epoch = 0; epoch < 2; ++epoch) {
          fused.run_epoch(view(x.data(), kRows, 4), data.by_label(), cross_entropy(), rule, o);
          o.input_sparsity = InputSparsity::dense;
          plain.run_epoch(view(encoded.data(), kRows, outputs), data.by_label(), cross_entropy(),
                          rule, o);
        }
        CHECK(arrays(Snapshot<T>(fused)) == arrays(Snapshot<T>(plain)));
        CHECK(fused.predict(view(x.data(), kRows, 4)) ==
              plain.predict(view(encoded.data(), kRows, outputs)));
      }
    }
  }
}

TEST_CASE("numbers of any type are categories") {
  const std::vector<int32_t> x = categories(Mode::one_hot);
  Network<float> network(behind(CategoryEncoding(kCounts), hidden()), 4, 7);
  const std::vector<float> expected = network.predict(view(x.data(), kRows, 4));
  const auto same = [&]<class S>(S) {
    const std::vector<S> other(x.begin(), x.end());
    CHECK(network.predict(view(other.data(), kRows, 4)) == expected);
    // Column by column.
    std::vector<S> transposed(other.size());
    for (size_t i = 0; i < static_cast<size_t>(kRows); ++i)
      for (size_t j = 0; j < 4; ++j) transposed[j * kRows + i] = other[i * 4 + j];
    RowsView columns = view(transposed.data(), kRows, 4);
    columns.row_stride = sizeof(S);
    columns.column_stride = kRows * static_cast<int64_t>(sizeof(S));
    CHECK(network.predict(columns) == expected);
  };
  same(int32_t());
  same(int64_t());
  same(float());
  same(double());
}

TEST_CASE("layers that read all numbers get the whole table") {
  const DataSet data(kRows, 4, 5);
  for (const Mode mode : {Mode::one_hot, Mode::multi_hot, Mode::count}) {
    CAPTURE(static_cast<int>(mode));
    const std::vector<int32_t> x = categories(mode);
    const int64_t outputs = encoding(mode).output_shape({4}).columns();
    const std::vector<double> encoded = table(mode, x, outputs);
    Network<double> alone({encoding(mode)}, 4);
    CHECK(alone.predict(view(x.data(), kRows, 4), 7, 2) == encoded);

    const Layers rest{BatchNormalization(), dense(5)};
    Network<double> fused(behind(encoding(mode), rest), 4, 7), plain(rest, outputs, 7);
    const Optimizer rule = optimizer(Optimizer::Kind::adam, 0.01);
    fused.run_epoch(view(x.data(), kRows, 4), data.by_label(), cross_entropy(), rule, options(32));
    plain.run_epoch(view(encoded.data(), kRows, outputs), data.by_label(), cross_entropy(), rule,
                    options(32));
    CHECK(arrays(Snapshot<double>(fused)) == arrays(Snapshot<double>(plain)));
  }
}

TEST_CASE("by hand too, and x has a gradient of zeros") {
  const DataSet data(kRows, 4, 5);
  const std::vector<int32_t> x = categories(Mode::one_hot);
  const int64_t outputs = encoding(Mode::one_hot).output_shape({4}).columns();
  const std::vector<double> encoded = table(Mode::one_hot, x, outputs);
  Network<double> fused(behind(encoding(Mode::one_hot), hidden()), 4, 7),
      plain(hidden(), outputs, 7);
  std::vector<double> dx(kRows * 4, 1.0);
  CHECK(fused.compute_gradients(view(x.data(), kRows, 4), data.by_label(), cross_entropy(), true, 2,
                                dx.data()) ==
        plain.compute_gradients(view(encoded.data(), kRows, outputs), data.by_label(),
                                cross_entropy(), true, 2, nullptr));
  CHECK(std::count(dx.begin(), dx.end(), 0.0) == kRows * 4);
  for (size_t i = 0; i < fused.parameters().size(); ++i)
    CHECK(gradient(fused, fused.parameters()[i]) == gradient(plain, plain.parameters()[i]));

  Network<double> alone({encoding(Mode::one_hot)}, 4);
  std::vector<double> y(encoded.size());
  alone.forward(view(x.data(), kRows, 4), true, 1, y.data());
  CHECK(y == encoded);
  std::fill(dx.begin(), dx.end(), 1.0);
  alone.backward(view(encoded.data(), kRows, outputs), dx.data());
  CHECK(std::count(dx.begin(), dx.end(), 0.0) == kRows * 4);
}

TEST_CASE("a predictor reads categories, and leaves out what is none") {
  for (const Mode mode : {Mode::one_hot, Mode::multi_hot, Mode::count}) {
    Network<float> network(behind(encoding(mode), hidden()), 4, 7);
    const std::vector<int32_t> x = categories(mode);
    const std::vector<float> in(x.begin(), x.end());
    const std::vector<float> expected = network.predict(view(x.data(), kRows, 4));
    const Predictor<float> predictor(network);
    Predictor<float>::Scratch scratch(predictor, 8);
    std::vector<float> out(expected.size());
    predictor.predict(std::span<const float>(in), std::span<float>(out), scratch);
    CHECK(out == expected);
    predictor.predict(in.data(), out.data(), scratch);
    CHECK(std::equal(out.begin(), out.begin() + 5, expected.begin()));
  }
  Network<float> bias_alone({CategoryEncoding(4), Dense(2)}, 2, 1);
  const std::vector<float> bias{0.5f, -0.25f};
  bias_alone.set_parameter("1.bias", bias.data());
  const Predictor<float> predictor(bias_alone);
  Predictor<float>::Scratch scratch(predictor);
  const std::vector<float> none{-1.0f, std::numeric_limits<float>::quiet_NaN()};
  std::vector<float> out(2);
  predictor.predict(none.data(), out.data(), scratch);
  CHECK(out == bias);
  CHECK_THROWS_WITH_AS(
      predictor.predict_checked(none, out, scratch),
      "in must hold categories in column 0, whole numbers from 0 to 3; row 0, column 0 is -1",
      Error);
}

TEST_CASE("what is no category is refused before anything changes") {
  const DataSet data(kRows, 4, 5);
  Network<float> network(behind(CategoryEncoding(kCounts), hidden()), 4, 7);
  const Snapshot<float> before(network);
  const auto refused = [&]<class S>(S value, size_t row, size_t column, const std::string& text) {
    const std::vector<int32_t> good = categories(Mode::one_hot);
    std::vector<S> x(good.begin(), good.end());
    x[row * 4 + column] = value;
    const RowsView bad = view(x.data(), kRows, 4);
    const std::string range = std::to_string(kCounts[column] - 1);
    const std::string expected = "x must hold categories in column " + std::to_string(column) +
                                 ", whole numbers from 0 to " + range + "; row " +
                                 std::to_string(row) + ", column " + std::to_string(column) +
                                 " is " + text;
    const Optimizer rule = optimizer(Optimizer::Kind::sgd, 0.1);
    const auto check = [&](auto call) { CHECK_THROWS_WITH_AS(call(), expected.c_str(), Error); };
    check([&] { network.run_epoch(bad, data.by_label(), cross_entropy(), rule, options(32)); });
    check([&] { network.predict(bad); });
    check([&] { network.evaluate(bad, data.by_label(), cross_entropy(), 32, 1, nullptr); });
    check([&] { network.forward(bad, true, 1, nullptr); });
    check([&] { network.check_takes(bad); });
    check([&] {
      network.compute_gradients(bad, data.by_label(), cross_entropy(), true, 1, nullptr);
    });
  };
  refused(int32_t{-1}, 0, 0, "-1");
  refused(int32_t{3}, 149, 0, "3");
  refused(int64_t{1} << 40, 7, 3, "1099511627776");
  refused(std::numeric_limits<int64_t>::min(), 7, 3, "-9223372036854775808");
  refused(0.5f, 2, 2, "0.5");
  refused(700.0, 2, 3, "700");
  refused(-1.0, 2, 3, "-1");
  refused(std::numeric_limits<double>::quiet_NaN(), 2, 1, "NaN");
  refused(std::numeric_limits<float>::infinity(), 2, 1, "inf");
  CHECK(Snapshot<float>(network) == before);
}

TEST_CASE("an encoding survives the way to a config and back") {
  const Config several{
      "category_encoding",
      {{"num_tokens", std::vector<double>{2, 7}}, {"output_mode", std::string("one_hot")}}};
  CHECK(CategoryEncoding({2, 7}).config() == several);
  const Config single{"category_encoding",
                      {{"num_tokens", std::int64_t{5}}, {"output_mode", std::string("count")}}};
  CHECK(CategoryEncoding(5, Mode::count).config() == single);
  for (const Config& config : {several, single})
    CHECK(Layer::from_config(config)->config() == config);
}

TEST_CASE("an encoding is the first layer, and has sizes for all columns") {
  CHECK_THROWS_WITH_AS(Network<float>({Dense(3), CategoryEncoding(3)}, 4),
                       "layer 1 (category_encoding) reads categories from x and must be the first "
                       "layer",
                       Error);
  CHECK(CategoryEncoding(5).output_shape({3}) == 15);
  CHECK(CategoryEncoding(5, Mode::count).output_shape({3}) == 5);
  CHECK(CategoryEncoding({2, 7}).output_shape({2}) == 9);
  CHECK(CategoryEncoding({2, 7}).categories(2) == std::vector<int64_t>{2, 7});
  CHECK(CategoryEncoding(5, Mode::multi_hot).categories(3) == std::vector<int64_t>{5, 5, 5});
  CHECK_THROWS_WITH_AS(CategoryEncoding({2, 7}).output_shape({3}),
                       "category_encoding: num_tokens has 2 numbers for 3 columns of categories",
                       Error);
  CHECK_THROWS_WITH_AS(CategoryEncoding(int64_t{1} << 30).output_shape({2}),
                       "category_encoding: num_tokens: all columns together may have at most "
                       "2147483646 categories",
                       Error);
  CHECK_THROWS_AS(CategoryEncoding(1).output_shape({std::numeric_limits<int64_t>::max()}), Error);
  const std::vector<int64_t> many(3, std::numeric_limits<int64_t>::max());
  CHECK_THROWS_AS(CategoryEncoding(many).output_shape({3}), Error);
}

TEST_CASE("raw tables have numbers beside categories, unknown and missing ones among them") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CategoryEncoding encoding({3, 2});
  encoding.columns = {0, 2};
  encoding.unknown = Unseen::code;
  encoding.missing = Unseen::zero;
  encoding.binary_as_sign = true;
  CHECK(encoding.widths(3) == std::vector<std::int64_t>{4, 1, 2});
  const Network<double> network({encoding}, 3);
  const std::vector<double> x{2, 0.5, 0, -1, 1.5, 1, nan, 2.5, 7};
  const std::vector<double> expected{0,   0, 1, 0, 0.5, -1, 0, 0,   0, 0, 1,
                                     1.5, 1, 0, 0, 0,   0,  0, 2.5, 0, 1};
  CHECK(network.predict(view(x.data(), 3, 3)) == expected);
  const Predictor<double> predictor(network);
  Predictor<double>::Scratch scratch(predictor, 3);
  std::vector<double> y(expected.size());
  predictor.predict_checked(x, y, scratch);
  CHECK(y == expected);
  const std::vector<double> half{2, 0.5, 0.5};
  std::vector<double> row(7);
  CHECK_THROWS_WITH_AS(predictor.predict_checked(half, row, scratch),
                       "in must hold categories in column 2, whole numbers; row 0, column 2 is 0.5",
                       Error);
}
