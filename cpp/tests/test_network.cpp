// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "engine/multiply_adds.hpp"
#include "engine/threads/thread_count.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

using Act = Activation::Kind;

/// Every kind of layer, with all that inference uses moved from where it starts.
template <class T>
std::unique_ptr<Network<T>> trained_network(const DataSet& data) {
  auto network = std::make_unique<Network<T>>(
      Layers{Rescaling(0.5, 0.125), dense(337, Act::relu), BatchNormalization(), Dropout(0.25),
             dense(353, Act::tanh), LayerNormalization(), dense(data.outputs, Act::leaky_relu)},
      data.inputs, 5);
  EpochOptions o;
  o.num_threads = 1;
  network->run_epoch(data.inputs_view(), data.by_row(), Loss::defaults(Loss::Kind::mse),
                     optimizer(Optimizer::Kind::adam, 0.01), o);
  return network;
}

template <class T>
std::vector<T> predicted(Network<T>& network, const RowsView& x, int64_t batch, int threads = 1) {
  std::vector<T> y(static_cast<size_t>(x.rows * network.outputs()), T(-7));
  network.predict(x, batch, threads, y.data());
  return y;
}

template <class T>
void check_predictions() {
  const DataSet data(101, 19, 7);
  const auto network = trained_network<T>(data);
  REQUIRE(engine::worthwhile_threads(engine::multiply_adds(network->graph()), 16) >= 4);
  const std::vector<T> whole = predicted(*network, data.inputs_view(), 101);
  for (const int64_t batch : {1, 3, 16, 32, 100, 1000})
    for (const int threads : {1, 4}) {
      CAPTURE(batch);
      CAPTURE(threads);
      CHECK(same_bits(predicted(*network, data.inputs_view(), batch, threads), whole));
    }
  std::vector<T> alone;
  for (int64_t i = 0; i < data.rows; ++i) {
    const RowsView row = view(data.x.data() + i * data.inputs, 1, data.inputs);
    for (const T value : predicted(*network, row, 1)) alone.push_back(value);
  }
  CHECK(same_bits(alone, whole));
  std::vector<T> by_hand(whole.size());
  network->forward(data.inputs_view(), false, 1, by_hand.data());
  CHECK(same_bits(by_hand, whole));
}

/// The values of `data` as S in some layout, and the view of them.
template <class S>
struct Source {
  Source(const DataSet& data, DataType type, int64_t row_stride, int64_t column_stride,
         int64_t first)
      : memory(60000) {
    rows = {memory.data() + first, type, data.rows, data.inputs, row_stride, column_stride};
    for (int64_t i = 0; i < data.rows; ++i)
      for (int64_t j = 0; j < data.inputs; ++j) {
        const auto value = static_cast<S>(std::floor(100.0 + 100.0 * data.x[i * data.inputs + j]));
        std::memcpy(memory.data() + first + i * row_stride + j * column_stride, &value, sizeof(S));
      }
  }

  std::vector<char> memory;
  RowsView rows;
};

template <class T>
void check_sources() {
  const DataSet data(41, 19, 7);
  const auto network = trained_network<T>(data);
  const Source<double> plain(data, DataType::float64, 19 * 8, 8, 0);
  const std::vector<T> expected = predicted(*network, plain.rows, 8);
  const Source<uint8_t> bytes(data, DataType::uint8, 19, 1, 0);
  const Source<uint8_t> reversed(data, DataType::uint8, -57, 3, 40 * 57);
  const Source<float> singles(data, DataType::float32, 19 * 4, 4, 0);
  const Source<float> transposed(data, DataType::float32, 4, 41 * 4, 0);
  const Source<float> records(data, DataType::float32, 19 * 7 + 2, 7, 1);
  const Source<double> mirrored(data, DataType::float64, 19 * 8, -8, 18 * 8);
  for (const RowsView& rows :
       {bytes.rows, reversed.rows, singles.rows, transposed.rows, records.rows, mirrored.rows})
    CHECK(same_bits(predicted(*network, rows, 8), expected));
}

}  // namespace

TEST_CASE("a row predicts the same alone, in any batch and on any threads") {
  SUBCASE("float") { check_predictions<float>(); }
  SUBCASE("double") { check_predictions<double>(); }
}

TEST_CASE("a network reads any type and layout in place") {
  SUBCASE("float") { check_sources<float>(); }
  SUBCASE("double") { check_sources<double>(); }
}

TEST_CASE("what a network computes is what its layers say") {
  const DataSet data(4, 3, 2);
  Network<double> network({Rescaling(2.0, 1.0), dense(2, Act::tanh), dense(2)}, 3, 1);
  const auto w1 = parameter(network, "1.weight"), w2 = parameter(network, "2.weight");
  const std::vector<double> b1{0.5, -0.25}, b2{0.125, 2.0};
  network.set_parameter("1.bias", b1.data());
  network.set_parameter("2.bias", b2.data());
  const std::vector<double> y = predicted(network, data.inputs_view(), 4);
  for (int64_t i = 0; i < 4; ++i) {
    double hidden[2];
    for (int64_t h = 0; h < 2; ++h) {
      double z = b1[h];
      for (int64_t k = 0; k < 3; ++k) z += (2.0 * data.x[i * 3 + k] + 1.0) * w1[k * 2 + h];
      hidden[h] = std::tanh(z);
    }
    for (int64_t j = 0; j < 2; ++j) {
      const double z = b2[j] + hidden[0] * w2[j] + hidden[1] * w2[2 + j];
      CHECK(y[i * 2 + j] == doctest::Approx(z).epsilon(1e-13));
    }
  }
}

TEST_CASE("evaluate is the weighted mean loss, in batches of any size, on any threads") {
  const DataSet data(50, 19, 7);
  const auto network = trained_network<double>(data);
  const std::vector<double> z = predicted(*network, data.inputs_view(), 50);
  TargetsView y = data.by_label();
  y.sample_weights = data.weights.data();
  data.weigh_classes(y);
  double sum = 0.0, total = 0.0;
  for (int64_t i = 0; i < 50; ++i) {
    const double weight = data.weights[i] * data.class_weights[data.labels[i]];
    double exponentials = 0.0;
    for (int64_t j = 0; j < 7; ++j) exponentials += std::exp(z[i * 7 + j]);
    sum += weight * (std::log(exponentials) - z[i * 7 + data.labels[i]]);
    total += weight;
  }
  const Loss loss = Loss::defaults(Loss::Kind::cross_entropy);
  const Snapshot<double> before(*network);
  for (const int64_t batch : {1, 7, 50, 80})
    for (const int threads : {1, 3}) {
      std::vector<double> outputs(z.size());
      const double mean =
          network->evaluate(data.inputs_view(), y, loss, batch, threads, outputs.data());
      CHECK(mean == doctest::Approx(sum / total).epsilon(1e-13));
      CHECK(same_bits(outputs, z));
    }
  CHECK(Snapshot<double>(*network) == before);
}

TEST_CASE("a last activation that the loss contains is used once") {
  const DataSet data(9, 4, 3);
  const Loss loss = Loss::defaults(Loss::Kind::cross_entropy);
  Network<double> logits({dense(3)}, 4, 2), probabilities({dense(3, Act::softmax)}, 4, 2);
  const auto w = parameter(logits, "0.weight");
  probabilities.set_parameter("0.weight", w.data());
  const auto x = data.inputs_view();
  CHECK(probabilities.evaluate(x, data.by_label(), loss, 9, 1, nullptr) ==
        logits.evaluate(x, data.by_label(), loss, 9, 1, nullptr));
  std::vector<double> p = predicted(logits, x, 9);
  apply_link(loss, p.data(), 9, 3);
  CHECK(same_bits(predicted(probabilities, x, 9), p));
  for (Network<double>* network : {&logits, &probabilities})
    network->run_epoch(x, data.by_label(), loss, optimizer(Optimizer::Kind::sgd, 0.1), {});
  CHECK(same_bits(parameter(logits, "0.weight"), parameter(probabilities, "0.weight")));
}

TEST_CASE("quantile outputs are one group per quantile") {
  Loss loss = Loss::defaults(Loss::Kind::quantile);
  loss.options = Loss::Quantile{{0.1, 0.9}};
  const std::vector<double> z{1, 2, 3, 4, 5, 6};  // three columns at 0.1, then three at 0.9
  const std::vector<double> t{2, 1, 4};
  TargetsView y;
  y.values = view(t.data(), 1, 3);
  y.rows = 1;
  std::vector<double> dz(6);
  const double mean = loss_and_gradient(loss, z.data(), 1, 6, y, dz.data());
  CHECK(mean == doctest::Approx((0.1 * 1 + 0.9 * 1 + 0.1 * 1 + 0.1 * 2 + 0.1 * 4 + 0.1 * 2) / 6));
  const double derivatives[] = {-0.1, 0.9, -0.1, 0.1, 0.1, 0.1};
  for (size_t j = 0; j < 6; ++j) CHECK(dz[j] == doctest::Approx(derivatives[j] / 6));
}

TEST_CASE("parameters go in and out by name") {
  Network<float> network({dense(20), BatchNormalization()}, 3, 1);
  std::vector<std::string> names;
  for (const ParameterInfo& info : network.parameters()) names.push_back(info.name);
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias", "1.gamma", "1.beta",
                                          "1.running_mean", "1.running_variance"});
  const ParameterInfo& weight = network.parameters()[0];
  CHECK(weight.shape == Shape{3, 20});
  CHECK(network.parameters()[1].shape == 20);
  CHECK_FALSE(network.parameters()[4].trainable);

  std::vector<float> values(60);
  for (size_t i = 0; i < 60; ++i) values[i] = static_cast<float>(i);
  network.set_parameter("0.weight", values.data());
  CHECK(same_bits(parameter(network, "0.weight"), values));

  const Snapshot<float> before(network);
  values[59] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH_AS(network.set_parameter("0.weight", values.data()),
                       doctest::Contains("0.weight"), Error);
  CHECK_THROWS_WITH_AS(network.set_parameter("0.wieght", values.data()),
                       doctest::Contains("did you mean '0.weight'"), Error);
  CHECK_THROWS_AS(network.get_slot("exp_avg", "0.weight", values.data()), Error);
  CHECK(Snapshot<float>(network) == before);
}

TEST_CASE("initial weights depend on the seed alone, not on the precision") {
  Network<float> singles({dense(20)}, 30, 1), others({dense(20)}, 30, 2);
  Network<double> doubles({dense(20)}, 30, 1);
  const auto single = parameter(singles, "0.weight");
  const auto wide = parameter(doubles, "0.weight");
  for (size_t i = 0; i < wide.size(); ++i) CHECK(single[i] == static_cast<float>(wide[i]));
  CHECK_FALSE(same_bits(single, parameter(others, "0.weight")));
}

TEST_CASE("adapt gives Normalization the moments of what reaches it") {
  const DataSet data(300, 3, 2);
  Network<double> network({Rescaling(10.0, 1.0), Normalization(), dense(2)}, 3, 1);
  network.adapt(1, data.inputs_view());
  const auto mean = parameter(network, "1.mean"), variance = parameter(network, "1.variance");
  for (int64_t j = 0; j < 3; ++j) {
    double m = 0.0, v = 0.0;
    for (int64_t i = 0; i < 300; ++i) m += (10.0 * data.x[i * 3 + j] + 1.0) / 300;
    for (int64_t i = 0; i < 300; ++i) v += std::pow(10.0 * data.x[i * 3 + j] + 1.0 - m, 2) / 300;
    CHECK(mean[j] == doctest::Approx(m).epsilon(1e-12));
    CHECK(variance[j] == doctest::Approx(v).epsilon(1e-12));
  }
  CHECK_THROWS_WITH_AS(network.adapt(2, data.inputs_view()), doctest::Contains("layer 2"), Error);
  CHECK_THROWS_AS(network.adapt(7, data.inputs_view()), Error);
  CHECK_THROWS_AS(network.adapt(-1, data.inputs_view()), Error);
}

TEST_CASE("a network knows which of its Normalization layers have been adapted") {
  const DataSet data(40, 3, 2), other(40, 3, 2, 5);
  const auto make = [] {
    return Network<double>({Normalization(), dense(3), Normalization(), dense(2)}, 3, 1);
  };
  Network<double> network = make();
  CHECK_FALSE(network.adapted());
  network.adapt(0, data.inputs_view());
  CHECK_FALSE(network.adapted());
  // What is left is adapted as it would be in order.
  Network<double> whole = make();
  whole.adapt(data.inputs_view());
  CHECK(whole.adapted());
  network.adapt_remaining(data.inputs_view());
  CHECK(network.adapted());
  CHECK(Snapshot<double>(network) == Snapshot<double>(whole));
  network.adapt_remaining(other.inputs_view());
  CHECK(Snapshot<double>(network) == Snapshot<double>(whole));
  network.adapt(other.inputs_view());
  CHECK_FALSE(Snapshot<double>(network) == Snapshot<double>(whole));

  CHECK(Network<double>(network).adapted());
  Network<double> set = make();
  set.set_adapted(true);
  set.adapt_remaining(data.inputs_view());
  CHECK(Snapshot<double>(set) == Snapshot<double>(make()));
  set.set_adapted(false);
  CHECK_FALSE(set.adapted());

  Network<double> without({dense(2)}, 3, 1);
  without.adapt(data.inputs_view());
  without.set_adapted(true);
  CHECK_FALSE(without.adapted());
}

TEST_CASE("adapting is done for all layers or none") {
  const DataSet data(40, 3, 2);
  Network<float> network({Normalization(), Rescaling(1e30), Normalization(), dense(2)}, 3, 1);
  const Snapshot<float> before(network);
  CHECK_THROWS_WITH_AS(network.adapt(data.inputs_view()), doctest::Contains("too large"), Error);
  CHECK(Snapshot<float>(network) == before);
  CHECK_FALSE(network.adapted());
  std::vector<double> x = data.x;
  x[5] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH_AS(network.adapt(0, view(x.data(), 40, 3)),
                       "x must be finite; row 1, column 2 is NaN", Error);
  CHECK(Snapshot<float>(network) == before);
}

TEST_CASE("a network moves with its weights and its training") {
  const DataSet data(20, 3, 2);
  Network<float> from({dense(4, Act::relu), dense(2)}, 3, 1);
  from.run_epoch(data.inputs_view(), data.by_row(), mse(), optimizer(Optimizer::Kind::adam, 0.01),
                 {});
  const Snapshot<float> before(from);
  Network<float> to(std::move(from));
  CHECK(Snapshot<float>(to) == before);
  Network<float> other({dense(1)}, 1, 0);
  other = std::move(to);
  CHECK(Snapshot<float>(other) == before);
  CHECK(other.inputs() == 3);
}

TEST_CASE("networks that cannot be are refused") {
  CHECK_THROWS_WITH_AS(Network<float>({}, 3, 1), doctest::Contains("at least one layer"), Error);
  CHECK_THROWS_AS(Network<float>({dense(3)}, 0, 1), Error);
  CHECK_THROWS_AS(Network<float>({dense(0)}, 3, 1), Error);
}

TEST_CASE("check_finite names the first bad value") {
  std::vector<double> x(100, 1.0);
  const auto refuses = [](const RowsView& rows, const char* text) {
    CHECK_THROWS_WITH_AS(check_finite<float>(rows, "x"), doctest::Contains(text), Error);
  };
  check_finite<float>(view(x.data(), 4, 25), "x");
  x[77] = std::numeric_limits<double>::quiet_NaN();
  refuses(view(x.data(), 4, 25), "row 3, column 2 is NaN");
  refuses({x.data() + 99, DataType::float64, 100, 1, -8, 8}, "row 22, column 0 is NaN");
  refuses({x.data(), DataType::float64, 50, 2, 8, 400}, "row 27, column 1 is NaN");
  x[77] = 1e300;
  refuses(view(x.data(), 4, 25), "too large for float32");
  check_finite<double>(view(x.data(), 4, 25), "x");
  std::vector<char> odd(1 + 100 * sizeof(double));
  std::memcpy(odd.data() + 1, x.data(), 100 * sizeof(double));
  refuses({odd.data() + 1, DataType::float64, 4, 25, 200, 8}, "row 3, column 2");
}
