// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/random.hpp"
#include "chainrule/trainer.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

using Act = Activation::Kind;
using Opt = Optimizer::Kind;

/// A mean of squares to be trained for as long as `poll` likes, on rows that take no memory.
template <class Poll>
EpochResult endless_epoch(Network<float>& network, Poll poll, int threads = 1) {
  static const float zeros[256] = {};
  const RowsView x{zeros, DataType::float32, int64_t{1} << 40, network.inputs(), 0, 4};
  TargetsView y;
  y.values = {zeros, DataType::float32, x.rows, network.outputs(), 0, 4};
  y.rows = x.rows;
  EpochOptions o = options(16, threads);
  o.shuffle = false;
  o.poll = poll;
  return network.run_epoch(x, y, mse(), optimizer(Opt::sgd, 0.01), o);
}

}  // namespace

TEST_CASE("divergence is reported with its place, and everything is as the epoch began") {
  DataSet data(40, 37, 5);
  const Optimizer rule = optimizers()[0];
  Network<float> network(odd_layers(), 37, 4);
  after_epochs(network, data, cross_entropy(), rule, 1, options(8));
  const Snapshot<float> before(network);
  std::vector<int64_t> order(40);
  shuffled_order(order.data(), 40, 4, 1);
  data.x[static_cast<size_t>(order[25] * 37)] = std::numeric_limits<double>::quiet_NaN();
  for (const int threads : {1, 3}) {
    CAPTURE(threads);
    try {
      network.run_epoch(data.inputs_view(), data.by_label(), cross_entropy(), rule,
                        options(8, threads));
      FAIL("the loss is NaN");
    } catch (const DivergenceError& error) {
      CHECK(error.epoch == 2);
      CHECK(error.batch == 4);
      CHECK(error.layer == "0 (rescaling)");
      CHECK(std::isnan(error.loss));
      CHECK(std::string(error.what()).find("epoch 2, batch 4") != std::string::npos);
    }
    CHECK(Snapshot<float>(network) == before);
  }
  data.x[static_cast<size_t>(order[25] * 37)] = 0.0;
  Network<float> fresh(odd_layers(), 37, 4);
  after_epochs(fresh, data, cross_entropy(), rule, 1, options(8));
  // It goes on as if nothing had happened.
  network.run_epoch(data.inputs_view(), data.by_label(), cross_entropy(), rule, options(8));
  CHECK(network.epochs() == 2);
}

TEST_CASE("divergence in a later piece goes back to the epoch's beginning") {
  DataSet data(40, 37, 5);
  const Optimizer rule = optimizers()[0];
  std::vector<int64_t> order(40);
  shuffled_order(order.data(), 40, 4, 0);
  data.x[static_cast<size_t>(order[25] * 37)] = std::numeric_limits<double>::infinity();
  Network<float> network(odd_layers(), 37, 4);
  const Snapshot<float> before(network);
  EpochOptions o = options(8);
  o.batches = 2;
  network.run_epoch(data.inputs_view(), data.by_label(), cross_entropy(), rule, o);
  const auto resumed = rebuilt(network, rule);
  const Snapshot<float> middle(*resumed);
  o.first_batch = 2;
  CHECK_THROWS_AS(network.run_epoch(data.inputs_view(), data.by_label(), cross_entropy(), rule, o),
                  DivergenceError);
  CHECK(Snapshot<float>(network) == before);
  // A network that knows no beginning of this epoch goes back to where it came in.
  CHECK_THROWS_AS(resumed->run_epoch(data.inputs_view(), data.by_label(), cross_entropy(), rule, o),
                  DivergenceError);
  CHECK(Snapshot<float>(*resumed) == middle);
}

TEST_CASE("weights that overflow in the last update count as divergence") {
  const DataSet data(4, 3, 2);
  Network<float> network({dense(2)}, 3, 1);
  const Snapshot<float> before(network);
  EpochOptions o = options(4);
  o.learning_rate = 3e38;
  Optimizer rule = optimizer(Opt::sgd, 1.0);
  rule.set_weight_decay(1e3);
  CHECK_THROWS_AS(network.run_epoch(data.inputs_view(), data.by_row(), mse(), rule, o),
                  DivergenceError);
  CHECK(Snapshot<float>(network) == before);
}

TEST_CASE("a gradient that is NaN is divergence for every optimizer, though no loss shows it") {
  // The gradient of the first row overflows to -infinity, that of the second to infinity.
  const std::vector<float> x = {3e38f, -3e38f}, t = {10.0f, 10.0f};
  TargetsView y;
  y.values = view(t.data(), 2, 1);
  y.rows = 2;
  EpochOptions one_by_one = options(1);
  one_by_one.shuffle = false;
  for (const std::string& name : Optimizer::kinds()) {
    CAPTURE(name);
    const Optimizer rule = Optimizer::from_config({name, {{"learning_rate", 1e-30}}});
    Network<float> network({dense(1)}, 1, 1);
    const float zero = 0.0f;
    network.set_parameter("0.weight", &zero);
    const Snapshot<float> before(network);
    CHECK_THROWS_AS(network.run_epoch(view(x.data(), 2, 1), y, mse(), rule, one_by_one),
                    DivergenceError);
    CHECK(Snapshot<float>(network) == before);
  }
}

TEST_CASE("a softmax within the network does not diverge in the padding of what follows it") {
  const DataSet data(6, 3, 2);
  Network<float> network({dense(5, Act::softmax), BatchNormalization(), dense(2)}, 3, 1);
  const std::vector<float> low(5, -1e4f);
  network.set_parameter("0.bias", low.data());
  network.run_epoch(data.inputs_view(), data.by_row(), mse(), optimizer(Opt::sgd, 0.1), options(6));
  CHECK(network.epochs() == 1);
}

TEST_CASE("errors of the caller leave the network as it was") {
  const DataSet data(20, 4, 3);
  Network<double> network({dense(3)}, 4, 2);
  network.run_epoch(data.inputs_view(), data.by_label(), cross_entropy(), optimizer(Opt::adam, 0.1),
                    options(5));
  const Snapshot<double> before(network);
  const Optimizer adam = optimizer(Opt::adam, 0.1);
  const Optimizer sgd = optimizer(Opt::sgd, 0.1);
  const auto refuses = [&](const char* text, const RowsView& x, const TargetsView& y,
                           const Loss& loss, const Optimizer& rule, const EpochOptions& o) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(network.run_epoch(x, y, loss, rule, o), doctest::Contains(text), Error);
    CHECK(Snapshot<double>(network) == before);
  };
  const auto x = data.inputs_view();
  refuses("5 columns", view(data.x.data(), 4, 5), data.by_label(), cross_entropy(), sgd,
          options(5));
  refuses("x is empty", view(data.x.data(), 0, 4), data.by_label(), cross_entropy(), sgd,
          options(5));
  refuses("x has 19 rows but y has 20", view(data.x.data(), 19, 4), data.by_label(),
          cross_entropy(), sgd, options(5));
  refuses("labels", x, data.by_label(), mse(), sgd, options(5));
  refuses("batch_size", x, data.by_label(), cross_entropy(), sgd, options(0));

  std::vector<int64_t> labels = data.labels;
  labels[7] = 3;
  TargetsView y = data.by_label();
  y.labels = labels.data();
  refuses("y[7] is label 3", x, y, cross_entropy(), sgd, options(5));
  labels[7] = -1;
  refuses("y[7] is label -1", x, y, cross_entropy(), sgd, options(5));

  TargetsView narrow = data.by_row();
  narrow.values.columns = 2;
  refuses("y has 2 columns", x, narrow, mse(), sgd, options(5));
  TargetsView few = data.by_row();
  few.values.rows = 19;
  refuses("y has 20 rows but its values have 19", x, few, mse(), sgd, options(5));
  TargetsView neither;
  neither.rows = 20;
  refuses("its values have 0", x, neither, cross_entropy(), sgd, options(5));

  for (const double bad :
       {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    CAPTURE(bad);
    std::vector<double> weights = data.weights;
    weights[19] = bad;
    TargetsView weighted = data.by_label();
    weighted.sample_weights = weights.data();
    refuses("sample_weight must be finite and >= 0; entry 19 is", x, weighted, cross_entropy(), sgd,
            options(5));
    std::vector<double> by_class = data.class_weights;
    by_class[2] = bad;
    weighted = data.by_label();
    weighted.class_weights = by_class.data();
    weighted.classes = 3;
    refuses("class_weight must be finite and >= 0; entry 2 is", x, weighted, cross_entropy(), sgd,
            options(5));
  }
  TargetsView classes = data.by_row();
  data.weigh_classes(classes);
  refuses("class_weight", x, classes, mse(), sgd, options(5));
  classes.classes = 2;
  refuses("class_weight", x, classes, mse(), sgd, options(5));
  refuses("class_weight has 2 entries", x, classes, cross_entropy(), sgd, options(5));

  EpochOptions o = options(5);
  o.first_batch = 4;
  refuses("first_batch must lie in 0..3, got 4", x, data.by_label(), cross_entropy(), sgd, o);
  o = options(5);
  o.learning_rate = -0.1;
  refuses("learning rate", x, data.by_label(), cross_entropy(), sgd, o);
  o.learning_rate = std::numeric_limits<double>::quiet_NaN();
  refuses("learning rate", x, data.by_label(), cross_entropy(), sgd, o);
  const double rates[] = {0.1, 0.1, std::numeric_limits<double>::infinity(), 0.1};
  o.learning_rates = rates;
  refuses("learning rate", x, data.by_label(), cross_entropy(), sgd, o);

  Optimizer broken = adam;
  broken.get<Adam>().beta1 = 2.0;
  refuses("beta1", x, data.by_label(), cross_entropy(), broken, options(5));
  Loss smoothed = cross_entropy();
  smoothed.options = Loss::CrossEntropy{1.5};
  refuses("label_smoothing", x, data.by_label(), smoothed, sgd, options(5));
}

TEST_CASE("poll stops after the current batch") {
  for (const int threads : {1, 2, 3}) {
    Network<float> network({dense(256), dense(2)}, 200, 1);
    int64_t seen = 0;
    const EpochResult result = endless_epoch(
        network,
        [&](int64_t done, double loss) {
          seen = done;
          return std::isfinite(loss);
        },
        threads);
    CHECK(result.stopped);
    CHECK(seen > 0);
    CHECK(result.batches == seen);
    CHECK(network.steps() == seen);
    CHECK(network.epochs() == 0);
  }
}

TEST_CASE("threads wait for an answer of poll that takes its time") {
  // A thread that went on before it would wait for the next batch, to which no other comes. Several
  // times, since a team is smaller for a while where others use the cores.
  for (int i = 0; i < 8; ++i) {
    Network<float> network({dense(256), dense(2)}, 200, 1);
    const EpochResult result = endless_epoch(
        network,
        [](int64_t, double) {
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
          return true;
        },
        2 + i % 3);
    CHECK(result.stopped);
    CHECK(network.steps() == result.batches);
  }
}

TEST_CASE("poll is called however short the epochs are, and never leaves half of one") {
  const DataSet data(4, 3, 2);
  Network<float> network({dense(2)}, 3, 1);
  EpochOptions o = options(4);
  int64_t epochs = 0;
  double last = 0.0;
  o.poll = [&](int64_t done, double loss) {
    CHECK(done == 0);  // a single batch is the whole epoch
    CHECK(loss == last);
    return true;
  };
  for (bool stopped = false; !stopped; epochs += !stopped) {
    const EpochResult result =
        network.run_epoch(data.inputs_view(), data.by_row(), mse(), optimizer(Opt::sgd, 0.01), o);
    stopped = result.stopped;
    CHECK(result.batches == !stopped);
    if (!stopped) last = result.loss;
    REQUIRE(epochs < 100'000'000);
  }
  CHECK(epochs > 0);
  CHECK(network.epochs() == epochs);
  CHECK(network.steps() == epochs);
}

TEST_CASE("an epoch's loss is the same in pieces, to the bit") {
  const DataSet data(23, 5, 3);
  for (const bool weighted : {false, true}) {
    TargetsView y = data.by_label();
    if (weighted) {
      y.sample_weights = data.weights.data();
      data.weigh_classes(y);
    }
    Network<double> whole({dense(3)}, 5, 1);
    Network<double> pieces(whole);
    EpochOptions o = options(4);
    const double expected =
        whole.run_epoch(data.inputs_view(), y, cross_entropy(), optimizer(Opt::adam, 0.1), o).loss;
    o.batches = 1;
    double loss = 0.0;
    for (o.first_batch = 0; o.first_batch < 6; ++o.first_batch)
      loss = pieces.run_epoch(data.inputs_view(), y, cross_entropy(), optimizer(Opt::adam, 0.1), o)
                 .epoch_loss;
    CHECK(loss == expected);
  }
}

TEST_CASE("batches of one row alone cannot train a batch normalisation") {
  const DataSet data(9, 3, 2);
  Network<float> network({BatchNormalization(), dense(2)}, 3, 1);
  const Snapshot<float> before(network);
  Trainer<float> trainer(network, mse(), optimizer(Opt::adam, 0.1));
  const RowsView x = data.inputs_view();
  RowsView one = x;
  one.rows = 1;
  TargetsView y = data.by_row();
  y.rows = y.values.rows = 1;
  std::vector<float> outputs(2);
  CHECK_THROWS_AS(trainer.fit(x, data.by_row(), {.epochs = 2, .batch_size = 1}), Error);
  CHECK_THROWS_AS(trainer.fit(one, y), Error);
  CHECK_THROWS_AS(trainer.step(one, y), Error);
  CHECK_THROWS_AS(network.run_epoch(x, data.by_row(), mse(), optimizer(Opt::sgd, 0.1), options(1)),
                  Error);
  CHECK_THROWS_AS(network.forward(one, true, 1, outputs.data()), Error);
  CHECK_THROWS_AS(network.compute_gradients(one, y, mse(), true, 1, nullptr), Error);
  CHECK(Snapshot<float>(network) == before);
  network.forward(one, false, 1, outputs.data());
  CHECK(trainer.fit(x, data.by_row(), {.epochs = 2, .batch_size = 4}).size() == 2);
}

TEST_CASE("an exception from poll stops as well, and arrives") {
  Network<float> network({dense(2)}, 3, 1);
  CHECK_THROWS_WITH_AS(
      endless_epoch(network, [](int64_t, double) -> bool { throw std::range_error("enough"); }),
      "enough", std::range_error);
  CHECK(network.steps() > 0);
  const DataSet data(4, 3, 2);
  network.run_epoch(data.inputs_view(), data.by_row(), mse(), optimizer(Opt::sgd, 0.1), options(4));
}

TEST_CASE("a network in use is an error to other threads and to the callback itself") {
  Network<float> network({dense(2)}, 3, 1);
  const std::vector<float> x(3);
  std::vector<float> y(2);
  int refused = 0;
  const auto predict = [&] {
    try {
      network.predict(view(x.data(), 1, 3), 1, 1, y.data());
    } catch (const StateError&) {
      ++refused;
    }
  };
  endless_epoch(network, [&](int64_t, double) {
    predict();
    std::thread(predict).join();
    return true;
  });
  CHECK(refused == 2);
  predict();
  CHECK(refused == 2);
}

TEST_CASE("while a network trains, only what never changes can be asked of it") {
  Network<float> network({dense(2)}, 3, 1);
  endless_epoch(network, [&](int64_t, double) {
    CHECK_THROWS_AS(network.optimizer_kind(), StateError);
    CHECK_THROWS_AS(network.optimizer_slots(), StateError);
    CHECK_THROWS_AS(network.steps(), StateError);
    CHECK_THROWS_AS(network.total_steps(), StateError);
    CHECK_THROWS_AS(network.epochs(), StateError);
    CHECK_THROWS_AS(network.has_gradients(), StateError);
    CHECK(network.layers().size() == 1);
    CHECK(network.inputs() == 3);
    CHECK(network.outputs() == 2);
    CHECK(network.seed() == 1);
    CHECK(network.parameters().size() == 2);
    return true;
  });
  CHECK(network.steps() > 0);
}
