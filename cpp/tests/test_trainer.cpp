// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/predictor.hpp"
#include "chainrule/trainer.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

Network<float> classifier() {
  return {{Rescaling(0.5), Dense(20, "relu"), Dropout(0.2), Dense(4)}, 6, 11};
}

FitOptions fit_options(std::int64_t epochs, std::int64_t batch_size) {
  FitOptions o;
  o.epochs = epochs;
  o.batch_size = batch_size;
  return o;
}

const DataSet& data() {
  static const DataSet instance(50, 6, 4);
  return instance;
}

}  // namespace

TEST_CASE("layers in a list are those of a vector of pointers") {
  const Network<float> list({Rescaling(0.5), Dense(20, "relu"), Dropout(0.2), dense(4)}, 6, 11);
  const Network<float> pointers(
      Layers{Rescaling(0.5), dense(20, Activation::Kind::relu), Dropout(0.2), dense(4)}, 6, 11);
  REQUIRE(list.layers().size() == 4);
  for (size_t i = 0; i < 4; ++i)
    CHECK(list.layers()[i]->config() == pointers.layers()[i]->config());
  CHECK(Snapshot<float>(list) == Snapshot<float>(pointers));
  CHECK_THROWS_WITH_AS(Dense(3, "rellu"), doctest::Contains("did you mean 'relu'"), Error);
  CHECK(ActivationLayer("tanh").activation == Activation::defaults(Activation::Kind::tanh));
}

TEST_CASE("views of spans know their rows, and parts of rows are refused") {
  const std::vector<float> values(12);
  const RowsView x = view(values, 4);
  CHECK(x.rows == 3);
  CHECK(x.columns == 4);
  CHECK(x.row_stride == 16);
  CHECK(x.data == values.data());
  CHECK_THROWS_WITH_AS(view(values, 5),
                       "values has 12 entries, which are no whole number of rows of 5", Error);
  CHECK_THROWS_AS(view(values, 0), Error);
  const std::vector<std::int64_t> classes{1, 0};
  CHECK(labels(classes).labels == classes.data());
  CHECK(labels(classes).rows == 2);
  CHECK(targets(x).rows == 3);
  CHECK(targets(x).values.data == values.data());
}

TEST_CASE("fit runs the epochs that run_epoch does, and goes on from them") {
  Network<float> by_hand = classifier();
  Network<float> fitted = classifier();
  const Optimizer rule = optimizer(Optimizer::Kind::adam, 1e-2);
  std::vector<double> losses;
  std::vector<double> validation;
  for (int e = 0; e < 4; ++e) {
    losses.push_back(
        by_hand
            .run_epoch(data().inputs_view(), data().by_label(), cross_entropy(), rule, options(16))
            .loss);
    validation.push_back(by_hand.evaluate(data().inputs_view(), data().by_label(), cross_entropy(),
                                          256, 0, nullptr));
  }
  Trainer<float> trainer(fitted, cross_entropy(), rule);
  FitOptions o = fit_options(3, 16);
  o.validation_x = data().inputs_view();
  o.validation_y = data().by_label();
  std::vector<EpochReport> reports = trainer.fit(data().inputs_view(), data().by_label(), o);
  o.epochs = 1;
  for (const EpochReport& report : trainer.fit(data().inputs_view(), data().by_label(), o))
    reports.push_back(report);
  REQUIRE(reports.size() == 4);
  for (size_t e = 0; e < 4; ++e) {
    CHECK(reports[e].epoch == static_cast<int64_t>(e + 1));
    CHECK(reports[e].loss == losses[e]);
    CHECK(reports[e].validation_loss == validation[e]);
    CHECK(reports[e].learning_rate == 1e-2);
  }
  CHECK(Snapshot<float>(fitted) == Snapshot<float>(by_hand));
  CHECK(trainer.evaluate(data().inputs_view(), data().by_label()) == validation.back());
  CHECK(fitted.predict(data().inputs_view()).size() == 200);
}

TEST_CASE("without validation data there is no validation loss, and on_epoch ends the training") {
  Network<float> network = classifier();
  Trainer<float> trainer(network, cross_entropy(), optimizer(Optimizer::Kind::sgd, 0.1));
  FitOptions o = fit_options(10, 16);
  o.on_epoch = [&](const EpochReport& report) {
    CHECK_THROWS_AS(trainer.fit(data().inputs_view(), data().by_label()), StateError);
    CHECK_THROWS_AS(trainer.step(data().inputs_view(), data().by_label()), StateError);
    CHECK_NOTHROW(network.predict(data().inputs_view()));
    return report.epoch == 3;
  };
  const auto reports = trainer.fit(data().inputs_view(), data().by_label(), o);
  CHECK(reports.size() == 3);
  CHECK(network.epochs() == 3);
  for (const EpochReport& report : reports) CHECK(std::isnan(report.validation_loss));
  o.on_epoch = [](const EpochReport&) -> bool { throw std::runtime_error("mine"); };
  CHECK_THROWS_WITH_AS(trainer.fit(data().inputs_view(), data().by_label(), o), "mine",
                       std::runtime_error);
  CHECK(network.epochs() == 4);
}

TEST_CASE("each step has its schedule's rate") {
  Schedule cosine = Schedule::defaults(Schedule::Kind::cosine);
  cosine.learning_rate = 0.1;
  cosine.epochs = 3;
  Network<float> fitted = classifier();
  Network<float> by_hand = classifier();
  const Optimizer rule = optimizer(Optimizer::Kind::sgd, 0.5);
  // The schedule begins where the trainer does, not where the network did.
  for (Network<float>* network : {&fitted, &by_hand})
    network->run_epoch(data().inputs_view(), data().by_label(), cross_entropy(), rule, options(16));
  Trainer<float> trainer(fitted, cross_entropy(), rule, cosine);
  CHECK(trainer.schedule_origin() == 4);
  const auto reports = trainer.fit(data().inputs_view(), data().by_label(), fit_options(3, 16));
  for (int e = 0; e < 3; ++e) {
    std::vector<double> rates;
    for (int b = 0; b < 4; ++b) rates.push_back(cosine.rate(4 * e + b, 4));
    EpochOptions o = options(16);
    o.learning_rates = rates.data();
    by_hand.run_epoch(data().inputs_view(), data().by_label(), cross_entropy(), rule, o);
    CHECK(reports[static_cast<size_t>(e)].learning_rate == rates.back());
  }
  CHECK(Snapshot<float>(fitted) == Snapshot<float>(by_hand));
  trainer.set_schedule_origin(0);
  CHECK(trainer.schedule_origin() == 0);
  CHECK_THROWS_AS(trainer.set_schedule_origin(-1), Error);
  CHECK_THROWS_AS(trainer.set_schedule_origin(17), Error);
}

TEST_CASE("a schedule tells what it remembers to callbacks, not to other threads meanwhile") {
  Network<float> network = classifier();
  Schedule schedule = Schedule::defaults(Schedule::Kind::reduce_on_plateau);
  schedule.learning_rate = 0.1;
  Trainer<float> trainer(network, cross_entropy(), optimizer(Optimizer::Kind::sgd, 0.1), schedule);
  bool own_read = false;
  bool other_refused = false;
  FitOptions options = fit_options(1, 10);
  options.on_epoch = [&](const EpochReport&) {
    own_read = trainer.plateau().has_value();
    std::thread([&] {
      try {
        (void)trainer.plateau();
      } catch (const StateError&) {
        other_refused = true;
      }
    }).join();
    return false;
  };
  trainer.fit(data().inputs_view(), data().by_label(), options);
  CHECK(own_read);
  CHECK(other_refused);
  CHECK(trainer.plateau().has_value());
  std::thread([&] { CHECK(trainer.plateau().has_value()); }).join();
}

TEST_CASE("a plateau schedule watches the validation loss") {
  Schedule schedule = Schedule::defaults(Schedule::Kind::reduce_on_plateau);
  schedule.learning_rate = 2.0;
  schedule.gamma = 0.5;
  schedule.patience = 0;
  Network<float> network = classifier();
  Trainer<float> trainer(network, cross_entropy(), optimizer(Optimizer::Kind::sgd, 1.0), schedule);
  FitOptions o = fit_options(12, 16);
  o.validation_x = data().inputs_view();
  o.validation_y = data().by_label();
  Plateau plateau(schedule);
  double rate = 2.0;
  for (const EpochReport& report : trainer.fit(data().inputs_view(), data().by_label(), o)) {
    CHECK(report.learning_rate == rate);
    rate = plateau.observe(schedule, report.validation_loss);
  }
  CHECK(rate < 2.0);
}

TEST_CASE("steps learn online, as batches in their order would") {
  Network<float> stepped = classifier();
  Network<float> by_hand = classifier();
  const Optimizer rule = optimizer(Optimizer::Kind::adam, 1e-2);
  Trainer<float> trainer(stepped, cross_entropy(), rule);
  EpochOptions o = options(1);
  o.whole_epoch = false;
  o.shuffle = false;
  for (int64_t i = 0; i < 20; ++i) {
    const RowsView x = view(data().x.data() + 6 * i, 1, 6);
    TargetsView y;
    y.labels = data().labels.data() + i;
    y.rows = 1;
    CHECK(trainer.step(x, y) == by_hand.run_epoch(x, y, cross_entropy(), rule, o).loss);
  }
  CHECK(stepped.steps() == 20);
  CHECK(stepped.epochs() == 0);
  CHECK(Snapshot<float>(stepped) == Snapshot<float>(by_hand));
}

TEST_CASE("a bad argument is named and changes nothing") {
  Network<float> network = classifier();
  const Optimizer rule = optimizer(Optimizer::Kind::sgd, 0.1);
  Trainer<float> trainer(network, cross_entropy(), rule);
  const Snapshot<float> before(network);
  const RowsView x = data().inputs_view();
  const TargetsView y = data().by_label();
  CHECK_THROWS_WITH_AS(trainer.fit(x, y, fit_options(-1, 16)), "epochs must be >= 0, got -1",
                       Error);
  CHECK_THROWS_WITH_AS(trainer.fit(x, y, fit_options(1, 0)), "batch_size must be >= 1, got 0",
                       Error);
  TargetsView fewer = y;
  fewer.rows = 49;
  CHECK_THROWS_WITH_AS(trainer.fit(x, fewer), "x has 50 rows but y has 49", Error);
  CHECK_THROWS_WITH_AS(trainer.step(x, fewer), "x has 50 rows but y has 49", Error);
  CHECK_THROWS_AS(trainer.step(view(data().x.data(), 50, 5), y), Error);
  CHECK_THROWS_AS(trainer.step({}, {}), Error);
  FitOptions o = fit_options(1, 16);
  o.validation_x = view(data().x.data(), 3, 5);
  o.validation_y = fewer;
  CHECK_THROWS_WITH_AS(trainer.fit(x, y, o), "x has 5 columns; the network expects 6", Error);
  CHECK(Snapshot<float>(network) == before);

  Optimizer bad = rule;
  bad.get<Sgd>().momentum = 2.0;
  CHECK_THROWS_AS((Trainer<float>(network, cross_entropy(), bad)), Error);
  Network<float> single({Dense(1)}, 3);
  CHECK_THROWS_AS((Trainer<float>(single, cross_entropy(), rule)), Error);
}

TEST_CASE("the first fit adapts Normalization layers that are not adapted") {
  const DataSet far(50, 6, 4, 3);
  const Optimizer rule = optimizer(Optimizer::Kind::adam, 1e-2);
  const auto make = [] {
    return Network<float>({Normalization(), Dense(20, "relu"), Dense(4)}, 6);
  };
  Network<float> fitted = make();
  Network<float> by_hand = make();
  by_hand.adapt(0, data().inputs_view());
  Trainer<float> trainer(fitted, cross_entropy(), rule);
  CHECK(trainer.fit(data().inputs_view(), data().by_label(), fit_options(0, 16)).empty());
  CHECK_FALSE(fitted.adapted());
  trainer.fit(data().inputs_view(), data().by_label(), fit_options(1, 16));
  CHECK(fitted.adapted());
  after_epochs(by_hand, data(), cross_entropy(), rule, 1, options(16));
  CHECK(Snapshot<float>(fitted) == Snapshot<float>(by_hand));
  // Once.
  trainer.fit(far.inputs_view(), far.by_label(), fit_options(1, 16));
  after_epochs(by_hand, far, cross_entropy(), rule, 1, options(16));
  CHECK(Snapshot<float>(fitted) == Snapshot<float>(by_hand));

  Network<float> own = make();
  own.adapt(0, far.inputs_view());
  const auto mean = parameter(own, "0.mean");
  Trainer<float>(own, cross_entropy(), rule).fit(data().inputs_view(), data().by_label());
  CHECK(parameter(own, "0.mean") == mean);
}

TEST_CASE("what fit refuses leaves Normalization layers alone") {
  Network<float> network({Normalization(), LayerNormalization(), Dense(4)}, 6);
  Optimizer lazy = optimizer(Optimizer::Kind::sgd, 0.1);
  lazy.lazy = true;
  const Snapshot<float> before(network);
  CHECK_THROWS_AS(
      Trainer<float>(network, cross_entropy(), lazy).fit(data().inputs_view(), data().by_label()),
      Error);
  CHECK(Snapshot<float>(network) == before);
  CHECK_FALSE(network.adapted());
}

TEST_CASE("rows in pieces adapt to the bits of all rows") {
  const std::vector<AnyLayer> layers{Normalization(), Dense(4, "tanh"), Normalization(), Dense(4)};
  Network<float> whole(layers, 6, 3), pieces(layers, 6, 3);
  const RowsView x = data().inputs_view();
  const auto in_pieces = [&](std::int64_t size, std::int64_t missing) {
    auto calls = std::make_shared<int>(0);
    return [&x, size, missing, calls](const Callback<void(const Inputs&)>& each) {
      const std::int64_t end = ++*calls > 1 ? x.rows - missing : x.rows;
      for (std::int64_t first = 0; first < end; first += size) {
        RowsView piece = x;
        piece.data = static_cast<const char*>(x.data) + first * x.row_stride;
        piece.rows = std::min(size, end - first);
        each(piece);
      }
    };
  };
  const Snapshot<float> before(pieces);
  CHECK_THROWS_WITH_AS(pieces.adapt(in_pieces(7, 3)),
                       "x gave 50 rows, and 47 when it was read again", Error);
  CHECK_THROWS_AS(pieces.adapt([](const Callback<void(const Inputs&)>&) {}), Error);
  CHECK_THROWS_WITH_AS(pieces.adapt([&](const Callback<void(const Inputs&)>& each) {
    each(x);
    pieces.set_adapted(true);
  }),
                       doctest::Contains("in use"), StateError);
  CHECK(Snapshot<float>(pieces) == before);
  CHECK_FALSE(pieces.adapted());
  whole.adapt(x);
  CHECK(pieces.adapt_remaining(in_pieces(7, 0)));
  CHECK(pieces.adapted());
  CHECK(Snapshot<float>(pieces) == Snapshot<float>(whole));
  CHECK_FALSE(pieces.adapt_remaining(in_pieces(7, 0)));
}

TEST_CASE("numbers that are not finite are named by row and column") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  Network<float> network({Dense(20, "relu"), Dense(4)}, 6, 11);
  Trainer<float> trainer(network, mse(), optimizer(Optimizer::Kind::sgd, 0.1));
  const Snapshot<float> before(network);
  std::vector<double> bad_x = data().x, bad_y = data().targets;
  bad_x[27] = nan;
  bad_y[9] = -std::numeric_limits<double>::infinity();
  const RowsView x = data().inputs_view(), holed = view(bad_x.data(), 50, 6);
  const TargetsView y = data().by_row(), infinite = targets(view(bad_y.data(), 50, 4));
  constexpr const char* in_x = "x must be finite; row 4, column 3 is NaN";
  constexpr const char* in_y = "y must be finite; row 2, column 1 is infinite";
  CHECK_THROWS_WITH_AS(trainer.fit(holed, y), in_x, Error);
  CHECK_THROWS_WITH_AS(trainer.fit(x, infinite), in_y, Error);
  CHECK_THROWS_WITH_AS(trainer.step(holed, y), in_x, Error);
  CHECK_THROWS_WITH_AS(trainer.step(x, infinite), in_y, Error);
  CHECK_THROWS_WITH_AS(trainer.evaluate(holed, y), in_x, Error);
  CHECK_THROWS_WITH_AS(trainer.evaluate(x, infinite), in_y, Error);
  CHECK_THROWS_WITH_AS(network.evaluate(x, infinite, mse(), 16, 1, nullptr), in_y, Error);
  FitOptions o;
  o.validation_x = holed;
  o.validation_y = y;
  CHECK_THROWS_WITH_AS(trainer.fit(x, y, o), "validation_x must be finite; row 4, column 3 is NaN",
                       Error);
  o.validation_x = x;
  o.validation_y = infinite;
  CHECK_THROWS_WITH_AS(trainer.fit(x, y, o),
                       "validation_y must be finite; row 2, column 1 is infinite", Error);
  CHECK(Snapshot<float>(network) == before);
  CHECK_NOTHROW(trainer.fit(x, y));
}

TEST_CASE("a divergence leaves the weights of before") {
  Network<float> network({Dense(3)}, 2, 0);
  Trainer<float> trainer(network, mse(), optimizer(Optimizer::Kind::sgd, 1e30));
  const std::vector<float> x{1e20f, 1e20f};
  const std::vector<float> y{0, 0, 0};
  const Snapshot<float> before(network);
  CHECK_THROWS_AS(trainer.step(view(x, 2), targets(view(y, 3))), DivergenceError);
  CHECK_THROWS_AS(trainer.fit(view(x, 2), targets(view(y, 3))), DivergenceError);
  CHECK(Snapshot<float>(network).arrays == before.arrays);
}
