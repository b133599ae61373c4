// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/predictor.hpp"
#include "engine/multiply_adds.hpp"
#include "engine/threads/thread_count.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

constexpr int64_t kRows = 131;
constexpr int64_t kInputs = 6;
const std::vector<int64_t> kColumns{4, 0, 3};  // columns 1, 2 and 5 hold numbers
const std::vector<int64_t> kCounts{9, 50, 2};

/// Tables of each column's own, or one of 50 rows for all.
Embedding embedding(bool shared, int64_t units) {
  return shared ? Embedding(50, units, kColumns) : Embedding(kCounts, units, kColumns);
}

/// Category k of a row that it has in column kColumns[k], and its numbers; few of the categories
/// occur, and some often.
struct Rows {
  explicit Rows(bool shared) {
    Draws draws(9);
    for (int64_t i = 0; i < kRows; ++i) {
      for (int64_t j = 0; j < kInputs; ++j) x.push_back(draws.uniform(-1, 1));
      for (size_t k = 0; k < kColumns.size(); ++k) {
        const int64_t most = shared ? 20 : kCounts[k] - 1 - (kCounts[k] > 9 ? 20 : 0);
        const int64_t category = draws.integer(0, 1) * draws.integer(0, most);
        x[static_cast<size_t>(i * kInputs + kColumns[k])] = static_cast<double>(category);
        categories.push_back(category);
      }
    }
  }

  RowsView view_of_x() const { return view(x.data(), kRows, kInputs); }
  double number(int64_t row, int64_t column) const {
    return x[static_cast<size_t>(row * kInputs + column)];
  }

  std::vector<double> x;
  std::vector<int64_t> categories;
};

/// The row of the weight that category k of a row stands for.
int64_t weight_row(const Rows& rows, bool shared, int64_t row, size_t k) {
  int64_t first = 0;
  for (size_t before = 0; before < k && !shared; ++before) first += kCounts[before];
  return first + rows.categories[static_cast<size_t>(row) * kColumns.size() + k];
}

Layers trained_layers(bool shared) {
  return {embedding(shared, 19), dense(449, Activation::Kind::relu), dense(5)};
}

std::vector<Optimizer> rules() {
  std::vector<Optimizer> all = optimizers();
  all.push_back(optimizer(Optimizer::Kind::sgd, 0.05));
  all.push_back(optimizer(Optimizer::Kind::adagrad, 0.05));
  Optimizer decaying = optimizer(Optimizer::Kind::adamw, 1e-3);
  decaying.set_weight_decay(0.1);
  all.push_back(decaying);
  all.push_back(optimizer(Optimizer::Kind::adadelta, 1.0));
  return all;
}

}  // namespace

TEST_CASE_TEMPLATE("rows of the tables come out, and their gradients are sums in row order", T,
                   float, double) {
  for (const bool shared : {false, true}) {
    const Rows rows(shared);
    for (const int64_t units : {1, 7, 64, 75}) {
      CAPTURE(shared);
      CAPTURE(units);
      Network<T> network({embedding(shared, units)}, kInputs, 5);
      const std::vector<T> weight = parameter(network, "0.weight");
      REQUIRE(weight.size() == static_cast<size_t>((shared ? 50 : 61) * units));
      const int64_t outputs = 3 * units + 3;
      REQUIRE(network.outputs() == outputs);
      std::vector<T> expected, dy;
      std::vector<T> gradient_of_weight(weight.size(), T(0));
      std::vector<T> expected_dx(kRows * kInputs, T(0));
      Draws draws(4);
      for (int64_t i = 0; i < kRows * outputs; ++i)
        dy.push_back(static_cast<T>(draws.uniform(-1, 1)));
      for (int64_t i = 0; i < kRows; ++i) {
        for (size_t k = 0; k < kColumns.size(); ++k) {
          const int64_t first = weight_row(rows, shared, i, k) * units;
          for (int64_t u = 0; u < units; ++u) {
            expected.push_back(weight[static_cast<size_t>(first + u)]);
            gradient_of_weight[static_cast<size_t>(first + u)] +=
                dy[static_cast<size_t>(i * outputs + static_cast<int64_t>(k) * units + u)];
          }
        }
        int64_t place = i * outputs + 3 * units;
        for (const int64_t column : {1, 2, 5}) {
          expected.push_back(static_cast<T>(rows.number(i, column)));
          expected_dx[static_cast<size_t>(i * kInputs + column)] = dy[static_cast<size_t>(place++)];
        }
      }
      CHECK(network.predict(rows.view_of_x(), 17, 2) == expected);
      std::vector<T> y(expected.size()), dx(expected_dx.size(), T(3));
      for (const bool again : {false, true}) {
        if (!again) network.forward(rows.view_of_x(), true, 1, y.data());
        network.backward(view(dy.data(), kRows, outputs), dx.data());
        CHECK(y == expected);
        CHECK(dx == expected_dx);
        CHECK(gradient(network, network.parameters()[0]) == gradient_of_weight);
      }
    }
  }
}

TEST_CASE_TEMPLATE("training has the bits of steps by hand, whatever the optimizer and the threads",
                   T, float, double) {
  const DataSet data(kRows, kInputs, 5);
  for (const bool shared : {false, true}) {
    CAPTURE(shared);
    const Rows rows(shared);
    const Layers layers = trained_layers(shared);
    REQUIRE(engine::worthwhile_threads(engine::multiply_adds(Graph::chain(layers, kInputs)), 64) >=
            2);
    for (const Optimizer& rule : rules()) {
      CAPTURE(static_cast<int>(rule.kind()));
      Network<T> by_hand(layers, kInputs, 3);
      for (int64_t first = 0; first < kRows; first += 64) {
        const int64_t size = std::min<int64_t>(64, kRows - first);
        const RowsView part = view(rows.x.data() + first * kInputs, size, kInputs);
        TargetsView y = labels({data.labels.data() + first, static_cast<size_t>(size)});
        by_hand.compute_gradients(part, y, cross_entropy(), true, 1, nullptr);
        by_hand.step(rule, 0.0);
      }
      for (const int threads : {1, 3}) {
        Network<T> trained(layers, kInputs, 3);
        EpochOptions o = options(64, threads);
        o.shuffle = false;
        o.whole_epoch = false;
        trained.run_epoch(rows.view_of_x(), data.by_label(), cross_entropy(), rule, o);
        CHECK(Snapshot<T>(trained) == Snapshot<T>(by_hand));
      }
    }
  }
}

TEST_CASE("gradients are the loss's differences") {
  const Rows rows(true);
  const DataSet data(kRows, kInputs, 5);
  Network<double> network({embedding(true, 3), dense(5, Activation::Kind::tanh), dense(5)}, kInputs,
                          3);
  const auto loss = [&] {
    return network.compute_gradients(rows.view_of_x(), data.by_label(), cross_entropy(), true, 1,
                                     nullptr);
  };
  loss();
  const std::vector<double> derivatives = gradient(network, network.parameters()[0]);
  std::vector<double> weight = parameter(network, "0.weight");
  for (size_t i = 0; i < weight.size(); i += 5) {
    constexpr double h = 1e-5;
    const double middle = weight[i];
    const auto at = [&](double value) {
      weight[i] = value;
      network.set_parameter("0.weight", weight.data());
      return loss();
    };
    const double derivative = (at(middle + h) - at(middle - h)) / (2 * h);
    at(middle);
    CHECK(derivative == doctest::Approx(derivatives[i]).epsilon(1e-6).scale(1e-2));
  }
}

TEST_CASE("a predictor looks up rows, and finds zeros for what is no category") {
  for (const bool shared : {false, true}) {
    const Rows rows(shared);
    Network<float> network(trained_layers(shared), kInputs, 3);
    const std::vector<float> expected = network.predict(rows.view_of_x());
    const std::vector<float> in(rows.x.begin(), rows.x.end());
    const Predictor<float> predictor(network);
    Predictor<float>::Scratch scratch(predictor, 8);
    std::vector<float> out(expected.size());
    predictor.predict(std::span<const float>(in), std::span<float>(out), scratch);
    CHECK(out == expected);
    predictor.predict(in.data(), out.data(), scratch);
    CHECK(std::equal(out.begin(), out.begin() + 5, expected.begin()));
  }
  Network<float> network({Embedding({4, 3}, 2)}, 2, 1);
  const Predictor<float> predictor(network);
  Predictor<float>::Scratch scratch(predictor);
  const std::vector<float> none{4.0f, 0.5f};
  std::vector<float> out(4, 1.0f);
  predictor.predict(none.data(), out.data(), scratch);
  CHECK(out == std::vector<float>(4, 0.0f));
  CHECK_THROWS_AS(predictor.predict_checked(none, out, scratch), Error);
}

TEST_CASE("columns of any numbers are not asked for categories") {
  Rows rows(false);
  Network<double> network(trained_layers(false), kInputs, 3);
  network.check_takes(rows.view_of_x());
  rows.x[7 * kInputs + 4] = 9.0;
  CHECK_THROWS_WITH_AS(network.check_takes(rows.view_of_x()),
                       "x must hold categories in column 4, whole numbers from 0 to 8; row 7, "
                       "column 4 is 9",
                       Error);
}

TEST_CASE("an embedding survives the way to a config and back") {
  const Config config = Embedding({10, 3}, 4, {2, 0}).config();
  CHECK(config ==
        Config{"embedding",
               {{"num_embeddings", std::vector<double>{10, 3}},
                {"units", std::int64_t{4}},
                {"columns", std::vector<double>{2, 0}},
                {"weight_initializer", Config{"uniform", {{"low", -0.05}, {"high", 0.05}}}}}});
  CHECK(Layer::from_config(config)->config() == config);
  const Config plain = Embedding(10, 4).config();
  CHECK(plain.options.size() == 3);  // no columns
  CHECK(Layer::from_config(plain)->config() == plain);
}

TEST_CASE("an embedding's options fit each other and x") {
  CHECK(Embedding(10, 4).output_shape({3}) == 12);
  CHECK(Embedding({10, 3}, 4, {2, 0}).output_shape({5}) == 11);
  CHECK(Embedding({10, 3}, 4, {2, 0}).categories(4) == std::vector<int64_t>{3, 0, 10, 0});
  CHECK(Embedding(10, 4).parameters({3})[0].shape == Shape{10, 4});
  CHECK(Embedding({10, 3}, 4).parameters({2})[0].shape == Shape{13, 4});
  const auto refused = [](const Embedding& e, int64_t inputs, const char* text) {
    CHECK_THROWS_WITH_AS(e.output_shape({inputs}), text, Error);
  };
  refused(Embedding(10, 4, {3}), 3, "embedding: columns must be below the 3 columns of x, got 3");
  refused(Embedding(10, 4, {1, 1}), 3, "embedding: columns has 1 twice");
  refused(Embedding(10, 4, {1, -1}), 3, "embedding: columns[1] must be >= 0, got -1");
  refused(Embedding({10, 3}, 4), 3,
          "embedding: num_embeddings has 2 numbers for 3 columns of categories");
  refused(Embedding(10, 0), 3, "embedding: units must be >= 1, got 0");
  refused(Embedding(), 3, "embedding: units must be >= 1, got 0");
  refused(Embedding(std::vector<int64_t>{}, 2), 3,
          "embedding: num_embeddings is missing; it must be >= 1");
  refused(Embedding(10, int64_t{1} << 46), 3,
          "embedding: units times rows of the tables, or columns of x, must be at most 2^48");
}
