// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/predictor.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

template <class T>
std::vector<T> rows_of(int64_t rows, int64_t columns, double zeros = 0.3) {
  Draws draws(5);
  std::vector<T> x;
  for (int64_t i = 0; i < rows * columns; ++i)
    x.push_back(draws.uniform(0, 1) < zeros ? T(0) : static_cast<T>(draws.uniform(-1, 1)));
  return x;
}

template <class T>
std::vector<T> expected(Network<T>& network, const std::vector<T>& x, int64_t rows) {
  std::vector<T> y(static_cast<size_t>(rows * network.outputs()));
  network.predict(view(x.data(), rows, network.inputs()), rows, 1, y.data());
  return y;
}

template <class T>
std::vector<T> predicted(const Predictor<T>& predictor, const std::vector<T>& x,
                         typename Predictor<T>::Scratch& scratch) {
  const auto rows = static_cast<int64_t>(x.size()) / predictor.inputs();
  std::vector<T> y(static_cast<size_t>(rows * predictor.outputs()));
  predictor.predict(std::span<const T>(x), std::span<T>(y), scratch);
  return y;
}

Normalization table_normalization() {
  return Normalization(Normalization::Method::robust, 3.0, Normalization::Missing::indicator);
}

/// One of each kind of layer, and what a row goes through only behind others.
std::vector<std::pair<Layers, int64_t>> networks() {
  return {
      {odd_layers(), 41},
      {{dense(64, Activation::Kind::relu), dense(64, Activation::Kind::relu), dense(4)}, 8},
      {{dense(70, Activation::Kind::tanh), dense(3, Activation::Kind::softmax)}, 100},
      {{Normalization(), dense(17, Activation::Kind::relu), Dropout(0.5), dense(9)}, 300},
      {{table_normalization(), dense(9, Activation::Kind::tanh), table_normalization()}, 30},
      {{BatchNormalization(), LayerNormalization()}, 23},
      {{ActivationLayer(Activation::defaults(Activation::Kind::relu)), dense(5)}, 77},
      {{Dropout(0.5)}, 7},
      {{Rescaling(0.25, 1.0)}, 7},
      {{dense(300, Activation::Kind::relu), dense(200), dense(1)}, 200},
  };
}

/// Some epochs, so that running statistics and every other parameter have moved.
template <class T>
void train(Network<T>& network, uint64_t seed = 3) {
  const DataSet data(64, network.inputs(), network.outputs(), seed);
  if (network.parameters().empty()) return;
  network.run_epoch(data.inputs_view(), data.by_row(), mse(),
                    optimizer(Optimizer::Kind::adam, 1e-3), options(16));
}

}  // namespace

TEST_CASE_TEMPLATE("a predictor has the bits of Network::predict", T, float, double) {
  for (const auto& listed : networks()) {
    const auto& layers = listed.first;
    const auto inputs = listed.second;
    CAPTURE(layers.size());
    CAPTURE(inputs);
    Network<T> network(layers, inputs, 7);
    train(network);
    constexpr int64_t rows = 37;
    const std::vector<T> x = rows_of<T>(rows, inputs);
    const std::vector<T> want = expected(network, x, rows);
    const Predictor<T> predictor(network);
    CHECK(predictor.inputs() == inputs);
    CHECK(predictor.outputs() == network.outputs());
    for (const int64_t room : {1, 5, 64}) {
      CAPTURE(room);
      typename Predictor<T>::Scratch scratch(predictor, room);
      CHECK(predicted(predictor, x, scratch) == want);
      std::vector<T> one(static_cast<size_t>(network.outputs()));
      for (int64_t i = 0; i < rows; ++i) {
        predictor.predict(x.data() + i * inputs, one.data(), scratch);
        CHECK(std::equal(one.begin(), one.end(), want.begin() + i * network.outputs()));
      }
    }
  }
}

TEST_CASE_TEMPLATE("a predictor takes missing numbers, as the network does", T, float, double) {
  Network<T> network(Layers{table_normalization(), dense(5, Activation::Kind::tanh)}, 7, 1);
  std::vector<T> x = rows_of<T>(40, 7);
  for (size_t i = 0; i < x.size(); i += 5) x[i] = std::numeric_limits<T>::quiet_NaN();
  network.adapt(view(x.data(), 40, 7));
  CHECK(network.missing_columns() == std::vector<bool>(7, true));
  const Predictor<T> predictor(network);
  typename Predictor<T>::Scratch scratch(predictor, 40);
  const std::vector<T> y = predicted(predictor, x, scratch);
  CHECK(y == expected(network, x, 40));
  for (const T value : y) CHECK(std::isfinite(value));
}

TEST_CASE("rows may lie apart, and a row's outputs over its inputs") {
  Network<float> network({dense(6, Activation::Kind::relu), dense(3)}, 4, 1);
  const Predictor<float> predictor(network);
  Predictor<float>::Scratch scratch(predictor, 2);
  const std::vector<float> x = rows_of<float>(3, 4);
  const std::vector<float> want = expected(network, x, 3);
  std::vector<float> table(3 * 9, -1.0f);
  for (size_t i = 0; i < 3; ++i) std::copy_n(x.begin() + 4 * i, 4, table.begin() + 9 * i);
  predictor.predict(table.data(), 9, table.data() + 5, 9, 3, scratch);
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 4; ++j) CHECK(table[9 * i + j] == x[4 * i + j]);
    for (size_t j = 0; j < 3; ++j) CHECK(table[9 * i + 5 + j] == want[3 * i + j]);
    CHECK(table[9 * i + 4] == -1.0f);
    CHECK(table[9 * i + 8] == -1.0f);
  }
  std::vector<float> row(x.begin(), x.begin() + 4);
  predictor.predict(row.data(), row.data(), scratch);
  for (size_t j = 0; j < 3; ++j) CHECK(row[j] == want[j]);
}

TEST_CASE("a link turns raw outputs into probabilities, once") {
  const std::vector<float> x = rows_of<float>(9, 6);
  for (const bool softmax_inside : {false, true})
    for (const Loss::Kind kind :
         {Loss::Kind::cross_entropy, Loss::Kind::binary_cross_entropy, Loss::Kind::poisson}) {
      const Loss loss = Loss::defaults(kind);
      if (softmax_inside && kind == Loss::Kind::poisson) continue;
      const Activation::Kind last = !softmax_inside                     ? Activation::Kind::linear
                                    : kind == Loss::Kind::cross_entropy ? Activation::Kind::softmax
                                                                        : Activation::Kind::sigmoid;
      Network<float> network({dense(20, Activation::Kind::tanh), dense(5, last)}, 6, 2);
      std::vector<float> want = expected(network, x, 9);
      if (!softmax_inside) apply_link(loss, want.data(), 9, 5);
      const Predictor<float> predictor(network, loss.link());
      for (const int64_t rows : {1, 4}) {
        Predictor<float>::Scratch scratch(predictor, rows);
        CHECK(predicted(predictor, x, scratch) == want);
      }
    }
}

TEST_CASE("sizes that do not fit are named, and nothing is written") {
  Network<float> network({dense(2)}, 3, 0);
  const Predictor<float> predictor(network);
  const Predictor<float> other(network);
  Predictor<float>::Scratch scratch(predictor);
  Predictor<float>::Scratch foreign(other);
  std::vector<float> x(6), y(4, 9.0f);
  const auto predict = [&](size_t in, size_t out, Predictor<float>::Scratch& s) {
    predictor.predict_checked(std::span<const float>(x).first(in), std::span<float>(y).first(out),
                              s);
  };
  CHECK_THROWS_WITH_AS(predict(5, 2, scratch), "in has 5 values; the network expects rows of 3",
                       Error);
  CHECK_THROWS_WITH_AS(predict(6, 3, scratch), "out has 3 values; 2 rows give 4", Error);
  CHECK_THROWS_WITH_AS(predict(6, 4, foreign), "scratch belongs to another predictor", Error);
  CHECK(y == std::vector<float>(4, 9.0f));
  CHECK_NOTHROW(predict(6, 4, scratch));
  CHECK(y != std::vector<float>(4, 9.0f));
  CHECK_NOTHROW(predict(0, 0, scratch));
  Predictor<float>::Scratch moved = std::move(scratch);
  CHECK_THROWS_WITH_AS(predict(3, 2, scratch), "scratch belongs to another predictor", Error);
  CHECK_THROWS_WITH_AS(Predictor<float>::Scratch(predictor, 0), "rows must be >= 1, got 0", Error);
}

TEST_CASE("an update reaches the next prediction of every scratch") {
  Network<float> network(odd_layers(), 41, 7);
  Predictor<float> predictor(network);
  const std::vector<float> x = rows_of<float>(3, 41);
  Predictor<float>::Scratch used(predictor);
  Predictor<float>::Scratch idle(predictor);
  std::vector<float> before = expected(network, x, 3);
  for (int i = 0; i < 5; ++i) {
    train(network, static_cast<uint64_t>(i));
    CHECK(predicted(predictor, x, used) == before);
    predictor.update(network);
    const std::vector<float> after = expected(network, x, 3);
    CHECK(after != before);
    CHECK(predicted(predictor, x, used) == after);
    before = after;
  }
  CHECK(predicted(predictor, x, idle) == before);
  Predictor<float>::Scratch late(predictor);
  CHECK(predicted(predictor, x, late) == before);
}

TEST_CASE("an update needs the same layers and a network that no other thread uses") {
  Network<float> network({dense(4, Activation::Kind::relu), dense(2)}, 3, 0);
  Predictor<float> predictor(network);
  Predictor<float>::Scratch scratch(predictor);
  const std::vector<float> x = rows_of<float>(1, 3);
  const std::vector<float> want = expected(network, x, 1);
  const char* text = "the network has other layers than the one that the predictor was made with";
  for (const auto& [layers, inputs] :
       std::vector<std::pair<Layers, int64_t>>{{{dense(4, Activation::Kind::tanh), dense(2)}, 3},
                                               {{dense(4, Activation::Kind::relu), dense(2)}, 5},
                                               {{dense(5, Activation::Kind::relu), dense(2)}, 3},
                                               {{dense(2)}, 3}}) {
    const Network<float> other(layers, inputs, 0);
    CHECK_THROWS_WITH_AS(predictor.update(other), text, Error);
  }
  // One row over and over, so that the epoch lasts until it is polled.
  const std::vector<float> target(2);
  RowsView many = view(x, 3);
  TargetsView many_targets = targets(view(target, 2));
  many.rows = many_targets.rows = many_targets.values.rows = 100'000'000;
  many.row_stride = many_targets.values.row_stride = 0;
  EpochOptions o = options(1);
  o.shuffle = false;
  bool polled = false;
  o.poll = [&](std::int64_t, double) {
    polled = true;
    CHECK_THROWS_AS(predictor.update(network), StateError);
    CHECK_THROWS_AS(Predictor<float>{network}, StateError);
    return true;
  };
  network.run_epoch(many, many_targets, mse(), optimizer(Optimizer::Kind::sgd, 1e-3), o);
  CHECK(polled);
  CHECK(predicted(predictor, x, scratch) == want);
  const Network<float> same({dense(4, Activation::Kind::relu), dense(2)}, 3, 9);
  CHECK_NOTHROW(predictor.update(same));
  CHECK(predicted(predictor, x, scratch) != want);
}

TEST_CASE("a scratch outlives its predictor") {
  const std::vector<float> x = rows_of<float>(1, 3);
  auto network = std::make_unique<Network<float>>(Layers{dense(2)}, 3, 0);
  auto predictor = std::make_unique<Predictor<float>>(*network);
  const std::vector<float> want = expected(*network, x, 1);
  network.reset();
  Predictor<float>::Scratch scratch(*predictor);
  Predictor<float> moved = std::move(*predictor);
  predictor.reset();
  CHECK(predicted(moved, x, scratch) == want);
}

TEST_CASE("the caller's rounding mode changes no result and comes back") {
  Network<float> network(odd_layers(), 41, 7);
  const Predictor<float> predictor(network);
  Predictor<float>::Scratch scratch(predictor);
  const std::vector<float> x = rows_of<float>(2, 41);
  const std::vector<float> want = predicted(predictor, x, scratch);
  REQUIRE(std::fesetround(FE_UPWARD) == 0);
  const std::vector<float> got = predicted(predictor, x, scratch);
  const int mode = std::fegetround();
  std::fesetround(FE_TONEAREST);
  CHECK(mode == FE_UPWARD);
  CHECK(got == want);
}

TEST_CASE("what is not finite stays so") {
  Network<float> network({dense(20, Activation::Kind::relu), dense(2)}, 3, 0);
  const Predictor<float> predictor(network);
  Predictor<float>::Scratch scratch(predictor);
  const std::vector<float> x{1.0f, std::numeric_limits<float>::quiet_NaN(), 0.0f};
  for (const float y : predicted(predictor, x, scratch)) CHECK(std::isnan(y));
}

TEST_CASE("a checked prediction overwrites no row before it is read") {
  const Network<float> network({dense(2)}, 3, 0);
  const Predictor<float> predictor(network);
  Predictor<float>::Scratch scratch(predictor, 2);
  std::vector<float> memory(100);
  for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i % 7) - 3.0f;
  const std::vector<float> given = memory, rows(given.begin() + 30, given.begin() + 45);
  const std::vector<float> expected = network.predict(view(rows, 3));
  const std::span<float> all(memory);
  int refused = 0;
  for (size_t at = 15; at <= 50; ++at) {
    memory = given;
    try {
      predictor.predict_checked(all.subspan(30, 15), all.subspan(at, 10), scratch);
      CHECK(std::equal(expected.begin(), expected.end(), memory.begin() + static_cast<long>(at)));
    } catch (const Error&) {
      CHECK(memory == given);
      ++refused;
    }
  }
  // The first piece writes 4 values while those from 36 to 44 are still to be read.
  CHECK(refused == 44 - 33 + 1);
  memory = given;
  predictor.predict_checked(all.subspan(30, 15), all.subspan(30, 10), scratch);
  CHECK(std::equal(expected.begin(), expected.end(), memory.begin() + 30));
}

// Every weight of version v is v, so any mixture of two versions shows in the outputs.
TEST_CASE(
    "threads that predict while weights change see one version at a time, never an older one") {
  constexpr int64_t inputs = 40, units = 70;
  Network<double> network({dense(units), dense(units)}, inputs, 0);
  const auto set_all = [&](double v) {
    for (const ParameterInfo& info : network.parameters()) {
      const std::vector<double> values(static_cast<size_t>(info.shape.size()), v);
      network.set_parameter(info.name, values.data());
    }
  };
  const auto output_of = [](double v) { return (inputs * v + v) * units * v + v; };
  set_all(1.0);
  Predictor<double> predictor(network);
#ifdef CHAINRULE_TEST_QUICK
  constexpr int updates = 200;
#else
  constexpr int updates = 2000;
#endif
  std::atomic<int> published{1};
  std::atomic<int> changes{0};
  std::atomic<bool> consistent{true};
  std::vector<std::thread> readers;
  std::atomic<int> ready{0};
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&] {
      Predictor<double>::Scratch scratch(predictor);
      const std::vector<double> x(inputs, 1.0);
      std::vector<double> y(units);
      int seen = 0;
      ++ready;
      while (seen < updates) {
        const int at_least = published.load(std::memory_order_acquire);
        predictor.predict(x.data(), y.data(), scratch);
        int version = at_least;
        while (version <= updates && output_of(version) != y[0]) ++version;
        const bool same = std::all_of(y.begin(), y.end(), [&](double v) { return v == y[0]; });
        if (!same || version > updates || version < seen) {
          consistent = false;
          return;
        }
        if (version != seen) ++changes;
        seen = version;
        std::this_thread::yield();
      }
    });
  }
  while (ready < 3) std::this_thread::yield();
  for (int v = 2; v <= updates; ++v) {
    set_all(v);
    predictor.update(network);
    published.store(v, std::memory_order_release);
    if (v % 16 == 0) std::this_thread::yield();
  }
  for (std::thread& reader : readers) reader.join();
  CHECK(consistent);
  CHECK(changes > 3);
}
