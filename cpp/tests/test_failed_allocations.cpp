// SPDX-License-Identifier: Apache-2.0
// Whatever allocation fails, a call throws std::bad_alloc and has changed nothing.
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/predictor.hpp"
#include "chainrule/trainer.hpp"
#include "failed_allocations.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;
using chainrule::testing::bytes_of;  // beside those here

Loss cross_entropy_loss() { return Loss::defaults(Loss::Kind::cross_entropy); }

const DataSet& data() {
  static const DataSet set(75, 37, 5);
  return set;
}

/// Of 7 units, or of 101, where batches of 32 rows are worth two threads.
Layers layers(std::int64_t units = 7) {
  return {Rescaling(0.5),
          dense(units, Activation::Kind::relu),
          BatchNormalization(),
          Dropout(0.25),
          dense(units),
          LayerNormalization(),
          dense(5)};
}

/// The rows of `data`, most of whose numbers are left out, as compressed rows.
struct CompressedRows {
  CompressedRows() {
    for (std::int64_t i = 0; i < data().rows; ++i) {
      for (std::int64_t j = i % 5; j < data().inputs; j += 5) {
        values.push_back(data().x[static_cast<std::size_t>(i * data().inputs + j)]);
        indices.push_back(static_cast<std::int32_t>(j));
      }
      offsets.push_back(static_cast<std::int32_t>(values.size()));
    }
    view.data = values.data();
    view.type = DataType::float64;
    view.rows = data().rows;
    view.columns = data().inputs;
    view.offsets = offsets.data();
    view.indices = indices.data();
    view.stored = static_cast<std::int64_t>(values.size());
  }

  std::vector<double> values;
  std::vector<std::int32_t> indices, offsets{0};
  RowsView view;
};

const CompressedRows& compressed() {
  static const CompressedRows rows;
  return rows;
}

/// Three columns of three categories.
const std::vector<std::int32_t>& categories() {
  static const std::vector<std::int32_t> table = [] {
    std::vector<std::int32_t> numbers;
    for (std::int32_t i = 0; i < 75 * 3; ++i) numbers.push_back(i * i % 3);
    return numbers;
  }();
  return table;
}

/// A network with a trainer, in a place that does not change.
template <class T>
struct Training {
  Training(const Layers& of, std::int64_t inputs, const Optimizer& optimizer,
           const std::optional<Schedule>& schedule = std::nullopt)
      : network(of, inputs, 7), trainer(network, cross_entropy_loss(), optimizer, schedule) {}

  Network<T> network;
  Trainer<T> trainer;
};

/// With how the trainer would go on.
template <class T>
struct TrainerState {
  explicit TrainerState(const std::unique_ptr<Training<T>>& subject)
      : network(subject->network), trainer(training_state(subject->trainer)) {}
  bool operator==(const TrainerState& other) const {
    return network == other.network && all(trainer) == all(other.trainer);
  }
  static auto all(const TrainingState& state) {
    const Plateau plateau = state.plateau.value_or(Plateau(Schedule{}));
    return std::tuple(state.loss, state.optimizer, state.schedule, state.plateau.has_value(),
                      plateau.rate, plateau.best, plateau.bad_epochs, plateau.cooldown_left,
                      state.monitor, state.mode, state.schedule_origin, state.rest);
  }

  NetworkState<T> network;
  TrainingState trainer;
};

std::string bytes_of(const std::vector<EpochReport>& reports) {
  FailingAllocations::stop();
  std::string bytes;
  for (const EpochReport& report : reports)
    bytes += bytes_of(report.loss) + bytes_of(report.validation_loss);
  return bytes;
}

template <class T>
void fail_in_fit(const Layers& of, const RowsView& x, const Optimizer& optimizer,
                 FitOptions options, bool trained_before) {
  const auto make = [&] {
    auto subject = std::make_unique<Training<T>>(of, x.columns, optimizer);
    // With another optimizer's memory, which the next call has no use for.
    if (trained_before) {
      Optimizer other = Optimizer::defaults(Optimizer::Kind::adam);
      other.get<Adam>().amsgrad = true;
      Trainer<T>(subject->network, cross_entropy_loss(), other).fit(x, data().by_label());
    }
    return subject;
  };
  const auto fit = [&](auto& subject) {
    return bytes_of(subject->trainer.fit(x, data().by_label(), options));
  };
  fail_every_allocation(make, fit, [](const auto& subject) { return TrainerState<T>(subject); });
}

}  // namespace

TEST_CASE("networks are made whole or not at all") {
  const auto make = [] { return std::unique_ptr<Network<float>>(); };
  const auto state = [](const auto& network) {
    return network ? std::optional(NetworkState<float>(*network)) : std::nullopt;
  };
  fail_every_allocation(
      make,
      [](auto& network) {
        network = std::make_unique<Network<float>>(layers(), 37, 7);
        return std::string();
      },
      state);
  const Network<float> original(layers(), 37, 7);
  fail_every_allocation(
      make,
      [&](auto& network) {
        network = std::make_unique<Network<float>>(original);
        return std::string();
      },
      state);
}

TEST_CASE("an epoch is trained or not, with every optimizer") {
  const FitOptions options;
  for (const std::string& kind : Optimizer::kinds()) {
    CAPTURE(kind);
    Optimizer rule = Optimizer::from_config({kind, {}});
    for (const bool trained_before : {false, true}) {
      CAPTURE(trained_before);
      fail_in_fit<float>(layers(), data().inputs_view(), rule, options, trained_before);
    }
  }
}

TEST_CASE("an epoch is trained or not, on two threads") {
  FitOptions options;
  options.num_threads = 2;
  const Optimizer rule = Optimizer::defaults(Optimizer::Kind::adam);
  fail_in_fit<float>(layers(101), data().inputs_view(), rule, options, false);
}

TEST_CASE("an epoch is trained or not, with validation, callbacks, clipping and a schedule") {
  FitOptions options;
  options.validation_x = data().inputs_view();
  options.validation_y = data().by_label();
  std::int64_t calls = 0;
  options.on_epoch = [&](const EpochReport&) { return ++calls < 0; };
  options.poll = [](std::int64_t, double) { return false; };
  Optimizer rule = Optimizer::defaults(Optimizer::Kind::adamw);
  rule.clip_norm = 0.5;
  const RowsView x = data().inputs_view();
  for (const bool trained_before : {false, true})
    fail_in_fit<double>(layers(), x, rule, options, trained_before);
  Schedule schedule = Schedule::defaults(Schedule::Kind::reduce_on_plateau);
  schedule.patience = 0;
  fail_every_allocation(
      [&] { return std::make_unique<Training<float>>(layers(), 37, rule, schedule); },
      [&](auto& subject) { return bytes_of(subject->trainer.fit(x, data().by_label(), options)); },
      [](const auto& subject) { return TrainerState<float>(subject); });
}

TEST_CASE("an epoch is trained or not, from sparse rows and categories") {
  FitOptions options;
  options.validation_x = compressed().view;
  options.validation_y = data().by_label();
  const Layers sparse{dense(9, Activation::Kind::relu), dense(7), dense(5)};
  Optimizer lazy = Optimizer::defaults(Optimizer::Kind::adam);
  lazy.lazy = true;
  for (const Optimizer& rule : {Optimizer::defaults(Optimizer::Kind::adam), lazy})
    fail_in_fit<float>(sparse, compressed().view, rule, options, true);

  const RowsView x = view(categories().data(), 75, 3);
  options.validation_x = x;
  const Layers encoded{CategoryEncoding(3), dense(9), dense(5)};
  const Layers embedded{Embedding(3, 4), dense(9), dense(5)};
  for (const Layers& of : {encoded, embedded})
    fail_in_fit<float>(of, x, Optimizer::defaults(Optimizer::Kind::adagrad), options, true);
}

TEST_CASE("a step is made or not") {
  const RowsView x = data().inputs_view();
  fail_every_allocation(
      [] {
        return std::make_unique<Training<float>>(layers(), 37,
                                                 Optimizer::defaults(Optimizer::Kind::adam));
      },
      [&](auto& subject) { return bytes_of(subject->trainer.step(x, data().by_label())); },
      [](const auto& subject) { return TrainerState<float>(subject); });
}

TEST_CASE("the chain rule by hand goes a step or stays") {
  const RowsView x = data().inputs_view();
  const RowsView few = view(data().x.data(), 4, 37);
  const std::vector<double> dy(75 * 5, 0.125);
  const auto state = [](const auto& network) { return NetworkState<float>(*network); };
  const auto fresh = [] { return std::make_unique<Network<float>>(layers(), 37, 7); };
  const auto forward = [&](auto& network) {
    std::vector<float> outputs(75 * 5);
    network->forward(x, true, 2, outputs.data());
    return bytes_of(outputs);
  };
  const auto backward = [&](auto& network) {
    std::vector<float> dx(75 * 37);
    network->backward(view(dy.data(), 75, 5), dx.data());
    return bytes_of(dx);
  };
  const auto passed = [&] {
    auto network = fresh();
    forward(network);
    return network;
  };
  fail_every_allocation(fresh, forward, state);
  fail_every_allocation(passed, backward, state);
  // A pass of other rows that fails leaves the one before, which backward goes back through.
  fail_every_allocation(
      passed,
      [&](auto& network) {
        std::vector<float> outputs(4 * 5);
        network->forward(few, true, 1, outputs.data());
        return bytes_of(outputs);
      },
      [&](auto& network) {
        std::string gone_back;
        try {
          gone_back = backward(network);
        } catch (const Error& error) {
          gone_back = error.what();
        }
        return std::pair(gone_back, state(network));
      });
  fail_every_allocation(
      fresh,
      [&](auto& network) {
        std::vector<float> dx(75 * 37);
        const double loss = network->compute_gradients(x, data().by_label(), cross_entropy_loss(),
                                                       true, 2, dx.data());
        return bytes_of(loss) + bytes_of(dx);
      },
      state);
  for (const std::string& kind : Optimizer::kinds()) {
    CAPTURE(kind);
    Optimizer rule = Optimizer::from_config({kind, {}});
    rule.clip_norm = 1.0;
    fail_every_allocation(
        [&] {
          auto network = passed();
          backward(network);
          return network;
        },
        [&](auto& network) {
          network->step(rule, 0.0);
          return std::string();
        },
        state);
  }
}

TEST_CASE("predictions and evaluations need memory, but no second network") {
  const auto fresh = [] { return std::make_unique<Network<float>>(layers(), 37, 7); };
  const auto state = [](const auto& network) { return NetworkState<float>(*network); };
  const RowsView x = data().inputs_view();
  fail_every_allocation(
      fresh,
      [&](auto& network) {
        std::vector<float> outputs(75 * 5);
        network->predict(x, 32, 2, outputs.data());
        return bytes_of(outputs);
      },
      state);
  fail_every_allocation(
      fresh,
      [&](auto& network) {
        std::vector<float> outputs(75 * 5);
        const double loss =
            network->evaluate(x, data().by_label(), cross_entropy_loss(), 32, 2, outputs.data());
        return bytes_of(loss) + bytes_of(outputs);
      },
      state);
  fail_every_allocation(
      [] { return std::make_unique<Network<float>>(Layers{dense(9), dense(5)}, 37, 7); },
      [&](auto& network) { return bytes_of(network->predict(compressed().view, 32, 2)); }, state);
  fail_every_allocation(
      [] { return std::make_unique<Network<float>>(Layers{Normalization(), dense(5)}, 37, 7); },
      [&](auto& network) {
        network->adapt(0, x);
        return std::string();
      },
      state);
}

TEST_CASE("counters and the optimizer's memory are replaced or kept") {
  const auto trained = [] {
    auto network = std::make_unique<Network<float>>(layers(), 37, 7);
    network->run_epoch(data().inputs_view(), data().by_label(), cross_entropy_loss(),
                       Optimizer::defaults(Optimizer::Kind::adam), options(32));
    return network;
  };
  const auto state = [](const auto& network) { return NetworkState<float>(*network); };
  Optimizer rule = Optimizer::defaults(Optimizer::Kind::adagrad);
  rule.get<AdaGrad>().initial_accumulator = 0.5;
  fail_every_allocation(
      trained,
      [&](auto& network) {
        network->restore_training(rule, 3, 9, 2);
        return std::string();
      },
      state);
  const std::vector<float> values(5, 2.5f);
  fail_every_allocation(
      trained,
      [&](auto& network) {
        network->set_parameter("6.bias", values.data());
        return std::string();
      },
      state);
  fail_every_allocation(
      trained,
      [&](auto& network) {
        network->set_slot("exp_avg", "6.bias", values.data());
        return std::string();
      },
      state);
}

TEST_CASE("predictors keep their weights where there is no memory for others") {
  const Network<float> first(layers(), 37, 7);
  const Network<float> second(layers(), 37, 8);
  const auto outputs = [](const Predictor<float>& predictor, Predictor<float>::Scratch& scratch) {
    const std::vector<float> x(3 * 37, 0.25f);
    std::vector<float> y(3 * 5);
    predictor.predict_checked(x, y, scratch);
    return bytes_of(y);
  };
  fail_every_allocation([] { return 0; },
                        [&](int) {
                          const Predictor<float> predictor(first, Loss::Link::softmax);
                          Predictor<float>::Scratch scratch(predictor, 3);
                          return outputs(predictor, scratch);
                        },
                        [](int) { return std::string(); });
  struct Reading {
    explicit Reading(const Network<float>& network) : predictor(network), scratch(predictor, 3) {}
    Predictor<float> predictor;
    Predictor<float>::Scratch scratch;
  };
  fail_every_allocation(
      [&] { return std::make_unique<Reading>(first); },
      [&](auto& reading) {
        reading->predictor.update(second);
        return std::string();
      },
      [&](const auto& reading) { return outputs(reading->predictor, reading->scratch); });
}
