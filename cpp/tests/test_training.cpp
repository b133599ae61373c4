// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/random.hpp"
#include "engine/multiply_adds.hpp"
#include "engine/threads/thread_count.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

using Act = Activation::Kind;
using Opt = Optimizer::Kind;

/// An emulator of few cores takes most of its time for teams that wait for each other.
#if defined(CHAINRULE_TEST_EMULATED)
constexpr int kTeams[] = {3};
#else
constexpr int kTeams[] = {2, 3, 7};
#endif

template <class T>
void check_threads() {
  const DataSet data(107, 37, 5);
  REQUIRE(engine::worthwhile_threads(engine::multiply_adds(Graph::chain(odd_layers(), 37)), 32) >=
          7);
  for (const Optimizer& rule : optimizers()) {
    const std::string kind = rule.config().kind;
    CAPTURE(kind);
    Network<T> single(odd_layers(), 37, 3);
    const Snapshot<T> untrained(single);
    const Snapshot<T> expected = after_epochs(single, data, cross_entropy(), rule, 3, options(32));
    CHECK_FALSE(expected == untrained);
    CHECK(expected.steps == 12);
    CHECK(expected.epochs == 3);
    for (const int threads : kTeams) {
      CAPTURE(threads);
      Network<T> network(odd_layers(), 37, 3);
      const EpochOptions o = options(32, threads);
      CHECK(after_epochs(network, data, cross_entropy(), rule, 3, o) == expected);
    }
  }
}

/// One hidden layer of rectifiers trained with SGD, in loops that could not be plainer.
struct PlainNetwork {
  PlainNetwork(const Network<double>& from, int64_t hidden_)
      : hidden(hidden_),
        w1(parameter(from, "0.weight")),
        b1(parameter(from, "0.bias")),
        w2(parameter(from, "1.weight")),
        b2(parameter(from, "1.bias")) {}

  /// Returns the epoch's weighted sum of losses; `weights` and `class_weights` may be null.
  double epoch(const DataSet& d, int64_t batch, double rate, const int64_t* order,
               const double* weights, const double* class_weights) {
    double sum = 0.0;
    for (int64_t first = 0; first < d.rows; first += batch) {
      const int64_t last = std::min(d.rows, first + batch);
      double total = 0.0;
      const auto weight = [&](int64_t row) {
        return (weights ? weights[row] : 1.0) *
               (class_weights ? class_weights[d.labels[row]] : 1.0);
      };
      for (int64_t i = first; i < last; ++i) total += weight(order[i]);
      std::vector<double> dw1(w1.size()), db1(b1.size()), dw2(w2.size()), db2(b2.size());
      for (int64_t i = first; i < last; ++i) {
        const double* x = &d.x[order[i] * d.inputs];
        std::vector<double> a(b1), z(b2), da(b1.size());
        for (int64_t h = 0; h < hidden; ++h) {
          for (int64_t k = 0; k < d.inputs; ++k) a[h] += x[k] * w1[k * hidden + h];
          a[h] = std::max(a[h], 0.0);
        }
        for (int64_t j = 0; j < d.outputs; ++j)
          for (int64_t h = 0; h < hidden; ++h) z[j] += a[h] * w2[h * d.outputs + j];
        double exponentials = 0.0;
        for (const double value : z) exponentials += std::exp(value);
        const int64_t label = d.labels[order[i]];
        sum += weight(order[i]) * (std::log(exponentials) - z[label]);
        for (int64_t j = 0; j < d.outputs; ++j) {
          const double p = std::exp(z[j]) / exponentials;
          const double dz = weight(order[i]) / total * (p - (j == label ? 1.0 : 0.0));
          db2[j] += dz;
          for (int64_t h = 0; h < hidden; ++h) {
            dw2[h * d.outputs + j] += a[h] * dz;
            if (a[h] > 0.0) da[h] += w2[h * d.outputs + j] * dz;
          }
        }
        for (int64_t h = 0; h < hidden; ++h) {
          db1[h] += da[h];
          for (int64_t k = 0; k < d.inputs; ++k) dw1[k * hidden + h] += x[k] * da[h];
        }
      }
      const auto step = [&](std::vector<double>& w, const std::vector<double>& g) {
        for (size_t i = 0; i < w.size(); ++i) w[i] -= rate * g[i];
      };
      step(w1, dw1);
      step(b1, db1);
      step(w2, dw2);
      step(b2, db2);
    }
    return sum;
  }

  int64_t hidden;
  std::vector<double> w1, b1, w2, b2;
};

void check_close(const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) CHECK(std::abs(got[i] - expected[i]) < 1e-12);
}

}  // namespace

TEST_CASE("weights, optimizer state and statistics do not depend on the number of threads") {
  SUBCASE("float") { check_threads<float>(); }
  SUBCASE("double") { check_threads<double>(); }
}

TEST_CASE("training equals plain loops, with and without weights") {
  const DataSet data(23, 7, 3);
  constexpr int64_t hidden = 11, batch = 5;
  for (const bool weighted : {false, true})
    for (const bool by_class : {false, true})
      for (const bool shuffle : {false, true}) {
        CAPTURE(weighted);
        CAPTURE(by_class);
        CAPTURE(shuffle);
        Network<double> network({dense(hidden, Act::relu), dense(3)}, 7, 9);
        PlainNetwork plain(network, hidden);
        TargetsView y = data.by_label();
        if (weighted) y.sample_weights = data.weights.data();
        if (by_class) data.weigh_classes(y);
        double weights = 0.0;
        for (int64_t i = 0; i < data.rows; ++i)
          weights += (weighted ? data.weights[i] : 1.0) *
                     (by_class ? data.class_weights[data.labels[i]] : 1.0);
        for (int epoch = 0; epoch < 3; ++epoch) {
          std::vector<int64_t> order(23);
          for (int64_t i = 0; i < 23; ++i) order[i] = i;
          if (shuffle) shuffled_order(order.data(), 23, 9, epoch);
          EpochOptions o = options(batch);
          o.shuffle = shuffle;
          const EpochResult result = network.run_epoch(data.inputs_view(), y, cross_entropy(),
                                                       optimizer(Opt::sgd, 0.5), o);
          const double sum =
              plain.epoch(data, batch, 0.5, order.data(), y.sample_weights, y.class_weights);
          CHECK(result.batches == 5);
          CHECK_FALSE(result.stopped);
          CHECK(result.weight == doctest::Approx(weights).epsilon(1e-12));
          CHECK(result.loss == doctest::Approx(sum / weights).epsilon(1e-12));
        }
        check_close(parameter(network, "0.weight"), plain.w1);
        check_close(parameter(network, "0.bias"), plain.b1);
        check_close(parameter(network, "1.weight"), plain.w2);
        check_close(parameter(network, "1.bias"), plain.b2);
      }
}

TEST_CASE("class weights of a single output weigh rows by the sign of their target") {
  DataSet data(20, 4, 1);
  std::vector<double> by_row;
  for (double& target : data.targets) {
    target = target < 0.5 ? 0.0 : 1.0;
    by_row.push_back(target > 0.0 ? 3.0 : 0.5);
  }
  const double by_class[] = {0.5, 3.0};
  TargetsView rows = data.by_row(), classes = data.by_row();
  rows.sample_weights = by_row.data();
  classes.class_weights = by_class;
  classes.classes = 2;
  Network<double> a({dense(1)}, 4, 1), b({dense(1)}, 4, 1), unweighted({dense(1)}, 4, 1);
  const Loss loss = Loss::defaults(Loss::Kind::binary_cross_entropy);
  const auto train = [&](Network<double>& network, const TargetsView& y) {
    network.run_epoch(data.inputs_view(), y, loss, optimizer(Opt::sgd, 0.5), options(7));
    return Snapshot<double>(network);
  };
  const Snapshot<double> expected = train(a, rows);
  CHECK(train(b, classes) == expected);
  CHECK_FALSE(train(unweighted, data.by_row()) == expected);
}

TEST_CASE("penalties on weights move them, biases not") {
  const DataSet data(8, 3, 2);
  Dense penalised(2);
  penalised.l1 = 0.25;
  penalised.l2 = 0.5;
  Network<double> plain({dense(2)}, 3, 1), network({Dense(penalised)}, 3, 1);
  const std::vector<double> before = parameter(plain, "0.weight");
  for (Network<double>* n : {&plain, &network})
    n->run_epoch(data.inputs_view(), data.by_row(), mse(), optimizer(Opt::sgd, 0.1), options(8));
  std::vector<double> expected = parameter(plain, "0.weight");
  for (size_t i = 0; i < expected.size(); ++i)
    expected[i] -= 0.1 * (std::copysign(0.25, before[i]) + 2 * 0.5 * before[i]);
  check_close(parameter(network, "0.weight"), expected);
  check_close(parameter(network, "0.bias"), parameter(plain, "0.bias"));
}

TEST_CASE("clip_norm scales all gradients to the norm given") {
  const DataSet data(8, 3, 2);
  for (const double share : {0.25, 4.0}) {
    CAPTURE(share);
    Network<double> network({dense(70, Act::tanh), dense(2)}, 3, 1);
    network.compute_gradients(data.inputs_view(), data.by_row(), mse(), true, 1, nullptr);
    double squares = 0.0;
    for (const ParameterInfo& info : network.parameters())
      for (const double g : gradient(network, info)) squares += g * g;
    const double norm = std::sqrt(squares);
    std::vector<std::vector<double>> expected;
    for (const ParameterInfo& info : network.parameters()) {
      std::vector<double> w = parameter(network, info);
      const std::vector<double> g = gradient(network, info);
      for (size_t i = 0; i < w.size(); ++i)
        w[i] -= 0.1 * std::min(1.0, share * norm / (norm + 1e-6)) * g[i];
      expected.push_back(w);
    }
    Optimizer rule = optimizer(Opt::sgd, 0.1);
    rule.clip_norm = share * norm;
    network.run_epoch(data.inputs_view(), data.by_row(), mse(), rule, options(8));
    for (size_t p = 0; p < expected.size(); ++p)
      check_close(parameter(network, network.parameters()[p]), expected[p]);
  }
}

TEST_CASE("a resumed run equals an unbroken one") {
  const DataSet data(67, 37, 5);
  for (const Optimizer& rule : optimizers()) {
    const std::string kind = rule.config().kind;
    CAPTURE(kind);
    Network<float> unbroken(odd_layers(), 37, 4);
    const auto expected = after_epochs(unbroken, data, cross_entropy(), rule, 3, options(32));
    Network<float> first(odd_layers(), 37, 4);
    after_epochs(first, data, cross_entropy(), rule, 1, options(32));
    const auto resumed = rebuilt(first, rule);
    CHECK(Snapshot<float>(*resumed) == Snapshot<float>(first));
    CHECK(after_epochs(*resumed, data, cross_entropy(), rule, 2, options(32)) == expected);
    Network<float> copy(first);
    CHECK(after_epochs(copy, data, cross_entropy(), rule, 2, options(32)) == expected);
    // The copy shares nothing with what it was copied from.
    CHECK(after_epochs(first, data, cross_entropy(), rule, 2, options(32)) == expected);
  }
}

TEST_CASE("an epoch in pieces equals a whole one, even when another network goes on") {
  const DataSet data(67, 37, 5);
  const Optimizer rule = optimizers()[0];
  Network<float> whole(odd_layers(), 37, 4), pieces(odd_layers(), 37, 4);
  for (int epoch = 0; epoch < 2; ++epoch) {
    const auto x = data.inputs_view();
    const EpochResult expected =
        whole.run_epoch(x, data.by_label(), cross_entropy(), rule, options(10));
    double loss_sum = 0.0;
    for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 1}, {1, 3}, {4, 100}}) {
      EpochOptions o = options(10);
      o.first_batch = first;
      o.batches = count;
      const auto resumed = rebuilt(pieces, rule);
      const EpochResult part = pieces.run_epoch(x, data.by_label(), cross_entropy(), rule, o);
      CHECK(part.batches == std::min<int64_t>(count, 3));
      loss_sum += part.loss * part.weight;
      if (epoch == 0 && first == 0) continue;
      resumed->run_epoch(x, data.by_label(), cross_entropy(), rule, o);
      CHECK(Snapshot<float>(*resumed) == Snapshot<float>(pieces));
    }
    CHECK(loss_sum / 67 == doctest::Approx(expected.loss).epsilon(1e-6));
    CHECK(Snapshot<float>(pieces) == Snapshot<float>(whole));
  }

  SUBCASE("and the order follows the epoch that was restored") {
    Network<float> other(odd_layers(), 37, 4);
    other.restore_training(rule, 0, 0, 1);
    Network<float> stale(odd_layers(), 37, 4);
    EpochOptions o = options(10);
    stale.run_epoch(data.inputs_view(), data.by_label(), cross_entropy(), rule, o);
    const Network<float> fresh(odd_layers(), 37, 4);
    for (const ParameterInfo& info : fresh.parameters())
      stale.set_parameter(info.name, parameter(fresh, info).data());
    stale.restore_training(rule, 0, 0, 1);
    o.first_batch = 3;
    for (Network<float>* n : {&other, &stale})
      n->run_epoch(data.inputs_view(), data.by_label(), cross_entropy(), rule, o);
    CHECK(Snapshot<float>(other) == Snapshot<float>(stale));
  }
}

TEST_CASE("learning rates come from the options before the optimizer") {
  const DataSet data(20, 4, 2);
  const Layers layers{dense(3, Act::tanh), dense(2)};
  const auto trained = [&](double own, const EpochOptions& o) {
    Network<double> network(layers, 4, 2);
    network.run_epoch(data.inputs_view(), data.by_label(), cross_entropy(),
                      optimizer(Opt::adam, own), o);
    return Snapshot<double>(network);
  };
  EpochOptions o = options(10);
  const auto expected = trained(0.01, o);
  o.learning_rate = 0.01;
  CHECK(trained(0.5, o) == expected);
  o.learning_rate = 0.3;
  const double rates[] = {0.01, 0.01};
  o.learning_rates = rates;
  CHECK(trained(0.5, o) == expected);
  const double decayed[] = {0.01, 0.005};
  o.learning_rates = decayed;
  CHECK_FALSE(trained(0.5, o) == expected);
}

TEST_CASE("dropout draws anew in every step, and goes on where a resumed run left off") {
  constexpr int64_t rows = 10, columns = 20, batch = 4;
  const std::vector<float> ones(rows * columns, 1.0f);
  TargetsView y;
  y.values = view(ones.data(), rows, columns);
  y.rows = rows;
  const Optimizer rule = optimizer(Opt::sgd, 0.1);
  Network<float> network({Rescaling(2.0), Dropout(0.5)}, columns, 77);
  network.restore_training(rule, 5, 1000, 1);
  EpochOptions o = options(batch);
  o.shuffle = false;
  std::vector<float> outputs(ones.size()), expected(ones.size());
  o.outputs = outputs.data();
  for (const uint64_t steps : {1000, 1003}) {
    network.run_epoch(view(ones.data(), rows, columns), y, mse(), rule, o);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        const uint64_t stream = uint64_t{1} << 48 | (steps + static_cast<uint64_t>(i / batch));
        const auto block = static_cast<uint64_t>(i % batch * (columns / 4) + j / 4);
        const auto words = random_block(77, RandomUse::dropout, stream, block);
        expected[i * columns + j] = words[j % 4] < 0x80000000 ? 0.0f : 4.0f;
      }
    CHECK(same_bits(outputs, expected));
  }
  network.predict(view(ones.data(), rows, columns), batch, 1, outputs.data());
  CHECK(same_bits(outputs, std::vector<float>(ones.size(), 2.0f)));
}

TEST_CASE("an epoch leaves each row's outputs in the row's own place") {
  const DataSet data(23, 4, 3);
  Network<double> network({dense(3)}, 4, 2);
  std::vector<double> expected(23 * 3), outputs(23 * 3, -1.0);
  network.predict(data.inputs_view(), 23, 1, expected.data());
  EpochOptions o = options(5);
  o.outputs = outputs.data();
  const double rates[] = {0, 0, 0, 0, 0};  // the weights stay as they are
  o.learning_rates = rates;
  network.run_epoch(data.inputs_view(), data.by_label(), cross_entropy(), optimizer(Opt::sgd, 1),
                    o);
  CHECK(same_bits(outputs, expected));
}

TEST_CASE("another optimizer starts with a memory of its own") {
  const DataSet data(20, 4, 3);
  Network<double> network({dense(3)}, 4, 2);
  const auto run = [&](const Optimizer& rule) {
    network.run_epoch(data.inputs_view(), data.by_label(), cross_entropy(), rule, options(5));
  };
  run(optimizer(Opt::adam, 0.1));
  run(optimizer(Opt::adam, 0.2));
  CHECK(network.steps() == 8);
  CHECK(network.optimizer_slots() == std::vector<std::string>{"exp_avg", "exp_avg_sq"});
  run(optimizer(Opt::sgd, 0.1));
  CHECK(network.optimizer_kind() == "sgd");
  CHECK(network.optimizer_slots().empty());
  CHECK(network.steps() == 4);
  CHECK(network.total_steps() == 12);
  network.reset_optimizer();
  CHECK(network.steps() == 0);
  CHECK(network.total_steps() == 12);
  CHECK(network.optimizer_kind().empty());
}

TEST_CASE(
    "threads that gather copies of their own give the bits of one thread, with zeros or without") {
  DataSet data(150, 100, 4);
  for (size_t i = 0; i < data.x.size(); ++i) data.x[i] *= i % 7 == 0 || i % 5 == 0;
  for (const InputSparsity path : {InputSparsity::dense, InputSparsity::sparse}) {
    const auto trained = [&](int threads) {
      Network<float> network({Rescaling(0.5), dense(256, Activation::Kind::relu), dense(4)}, 100,
                             3);
      EpochOptions o = options(64, threads);
      o.input_sparsity = path;
      return after_epochs(network, data, cross_entropy(), optimizer(Optimizer::Kind::adam, 1e-2), 3,
                          o);
    };
    const auto one = trained(1);
    CHECK(trained(2) == one);
    CHECK(trained(4) == one);
  }
}
