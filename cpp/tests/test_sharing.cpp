// SPDX-License-Identifier: Apache-2.0
// One network in several threads: what reads goes on side by side, what changes is alone.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/predictor.hpp"
#include "chainrule/trainer.hpp"
#include "engine/inference/spares.hpp"
#include "engine/threads/occupancy.hpp"
#include "networks.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include "forked_child.hpp"
#endif

namespace {

using namespace chainrule;
using namespace chainrule::testing;

#ifdef CHAINRULE_TEST_QUICK
constexpr int repeats = 20;
#else
constexpr int repeats = 200;
#endif

/// Calls work(index) on so many threads at once.
template <class Work>
void on_threads(int count, Work work) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) threads.emplace_back([&work, i] { work(i); });
  for (std::thread& thread : threads) thread.join();
}

template <class T>
std::vector<T> outputs_of(const Network<T>& network, const RowsView& x, int64_t batch = 64,
                          int threads = 1) {
  std::vector<T> y(static_cast<size_t>(x.rows * network.outputs()));
  network.predict(x, batch, threads, y.data());
  return y;
}

struct Guarded {
  engine::Occupancy occupancy{"in use"};
  int recovered = 0;
  void recover() { ++recovered; }
};

}  // namespace

TEST_CASE_TEMPLATE("any number of threads read one network at once, to the same bits", T, float,
                   double) {
  const DataSet data(150, 41, 5);
  const Network<T> network(odd_layers(), 41, 3);
  const std::vector<T> expected = outputs_of(network, data.inputs_view());
  const double loss =
      network.evaluate(data.inputs_view(), data.by_label(), cross_entropy(), 32, 1, nullptr);
  const std::string file = model_bytes(network, TrainingState{});
  std::atomic<int> wrong{0};
  on_threads(5, [&](int index) {
    for (int i = 0; i < repeats / 4 + 1; ++i) {
      switch ((index + i) % 5) {
        case 0:
          wrong += !same_bits(outputs_of(network, data.inputs_view(), 1 + i % 70, 2), expected);
          break;
        case 1:
          wrong += network.evaluate(data.inputs_view(), data.by_label(), cross_entropy(), 32, 2,
                                    nullptr) != loss;
          break;
        case 2:
          wrong += !same_bits(outputs_of(Network<T>(network), data.inputs_view()), expected);
          break;
        case 3:
          wrong += model_bytes(network, TrainingState{}) != file;
          break;
        default:
          wrong += !same_bits(network.predict(data.inputs_view(), 32, 1), expected);
          const Predictor<T> predictor(network);
      }
    }
  });
  CHECK(wrong == 0);
}

TEST_CASE("different losses and sizes of batches are evaluated at once") {
  const DataSet data(90, 7, 3);
  const Network<float> network({dense(33, Activation::Kind::relu), dense(3)}, 7, 3);
  const auto evaluated = [&](int64_t batch, bool labels) {
    return labels ? network.evaluate(data.inputs_view(), data.by_label(), cross_entropy(), batch, 1,
                                     nullptr)
                  : network.evaluate(data.inputs_view(), data.by_row(), mse(), batch, 1, nullptr);
  };
  std::vector<double> expected;
  for (int64_t i = 0; i < 8; ++i) expected.push_back(evaluated(10 + i, i % 2 == 0));
  std::atomic<int> wrong{0};
  on_threads(4, [&](int index) {
    for (int i = index; i < repeats; ++i)
      wrong += evaluated(10 + i % 8, i % 2 == 0) != expected[static_cast<size_t>(i % 8)];
  });
  CHECK(wrong == 0);
}

TEST_CASE("training among predictions ends as it would alone, and these are right or refused") {
  const DataSet data(200, 11, 3);
  const auto fresh = [] {
    return Network<float>({dense(64, Activation::Kind::relu), BatchNormalization(), dense(3)}, 11,
                          3);
  };
  FitOptions options;
  options.epochs = 12;
  options.batch_size = 16;
  Network<float> alone = fresh();
  std::vector<std::vector<float>> versions{outputs_of(alone, data.inputs_view())};
  FitOptions noting = options;
  noting.on_epoch = [&](const EpochReport&) {
    versions.push_back(outputs_of(alone, data.inputs_view()));
    return false;
  };
  Trainer<float>(alone, cross_entropy(), optimizer(Optimizer::Kind::adam, 1e-2))
      .fit(data.inputs_view(), data.by_label(), noting);

  Network<float> shared = fresh();
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i)
    readers.emplace_back([&] {
      size_t seen = 0;
      while (!done) {
        try {
          const std::vector<float> y = outputs_of(shared, data.inputs_view());
          while (seen < versions.size() && !same_bits(versions[seen], y)) ++seen;
          wrong += seen == versions.size();
        } catch (const StateError&) {
          std::this_thread::yield();
        }
      }
    });
  Trainer<float>(shared, cross_entropy(), optimizer(Optimizer::Kind::adam, 1e-2))
      .fit(data.inputs_view(), data.by_label(), options);
  done = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(wrong == 0);
  CHECK(Snapshot<float>(shared) == Snapshot<float>(alone));
}

TEST_CASE("setting parameters waits for predictions, which see all of an array or nothing") {
  Network<double> network({dense(70)}, 40, 0);
  const auto set_all = [&](double v) {
    const std::vector<double> values(40 * 70, v);
    network.set_parameter("0.weight", values.data());
  };
  set_all(0.0);
  const std::vector<double> x(40, 1.0);
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i)
    readers.emplace_back([&] {
      while (!done) {
        try {
          const std::vector<double> y = outputs_of(network, view(x.data(), 1, 40));
          for (const double value : y) wrong += value != y[0];
        } catch (const StateError&) {
          std::this_thread::yield();
        }
      }
    });
  for (int v = 1; v <= repeats; ++v) set_all(v);  // throws for none of them
  done = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(wrong == 0);
  CHECK(outputs_of(network, view(x.data(), 1, 40))[0] == 40.0 * repeats);
}

TEST_CASE("a long prediction or evaluation is polled, and an exception of the poll's ends it") {
  const Network<float> network({dense(2)}, 3, 1);
  const std::vector<float> x(3);
  const std::vector<float> target(2);
  RowsView many = view(x.data(), 1, 3);
  many.rows = 2'000'000'000;
  many.row_stride = 0;
  // What is written for so many rows would take too much memory, but an evaluation writes nothing.
  TargetsView targets;
  targets.values = view(target.data(), 1, 2);
  targets.values.row_stride = 0;
  targets.rows = targets.values.rows = many.rows;
  Network<float> changed(network);
  int polls = 0;
  const Callback<void()> poll = [&] {
    if (++polls == 1) {
      // Reading goes on from within; changing would have to wait for the evaluation itself.
      CHECK(network.predict(view(x.data(), 1, 3)).size() == 2);
      CHECK_THROWS_AS(changed.set_parameter("0.bias", target.data()), StateError);
      return;
    }
    throw std::runtime_error("enough");
  };
  CHECK_THROWS_WITH_AS(
      changed.evaluate(many, targets, mse(), 256, 1, nullptr, InputSparsity::automatic, poll),
      "enough", std::runtime_error);
  CHECK(polls == 2);
  CHECK_NOTHROW(changed.set_parameter("0.bias", target.data()));
  std::vector<float> outputs(20'000'000);
  many.rows = 10'000'000;
  polls = 1;
  try {
    network.predict(many, 1, 1, outputs.data(), InputSparsity::automatic, poll);
  } catch (const std::runtime_error&) {
    CHECK(polls == 2);
  }
  CHECK(network.predict(view(x.data(), 1, 3)).size() == 2);
}

TEST_CASE("who changes waits for those that read, and keeps others out meanwhile") {
  Guarded object;
  std::atomic<bool> changed{false};
  std::thread writer;
  {
    const engine::Reading first(object);
    const engine::Reading second(object);
    writer = std::thread([&] {
      const engine::Changing guard(object);
      changed = true;
    });
    for (;;) {  // until the writer has come
      try {
        const engine::Reading third(object);
      } catch (const StateError&) {
        break;
      }
      std::this_thread::yield();
    }
    CHECK_THROWS_AS(engine::Changing{object}, StateError);
    CHECK(!changed);
  }
  writer.join();
  CHECK(changed);
  const engine::Changing again(object);
  CHECK_THROWS_WITH_AS(engine::Reading{object}, "in use", StateError);
  CHECK_THROWS_WITH_AS(engine::Changing{object}, "in use", StateError);
  CHECK(object.recovered == 0);
}

TEST_CASE("spare items are as many as are lent at once") {
  static int made, there;
  made = there = 0;
  struct Counted {
    Counted() { ++made, ++there; }
    ~Counted() { --there; }
  };
  using Spares = engine::Spares<Counted>;
  {
    Spares spares;
    const auto borrow = [&](Spares::Loan& loan) {
      if (!loan.item) loan.item = std::make_unique<Counted>();
    };
    for (int i = 0; i < 3; ++i) {
      Spares::Loan one(spares), two(spares);
      borrow(one);
      borrow(two);
      CHECK(one.item.get() != two.item.get());
    }
    on_threads(1, [&](int) {
      Spares::Loan loan(spares);
      CHECK(loan.item);
    });
    CHECK(made == 2);
    std::vector<std::unique_ptr<Spares::Loan>> many;
    for (int i = 0; i < 100; ++i) {
      many.push_back(std::make_unique<Spares::Loan>(spares));
      borrow(*many.back());
    }
    CHECK(there == 100);
    many.clear();
    CHECK(there == 64);
  }
  CHECK(there == 0);
}

// The sanitizers do not let a fork of a threaded process go on, and qemu cannot.
#if (defined(__unix__) || defined(__APPLE__)) && !defined(CHAINRULE_TEST_TSAN) && \
    !defined(CHAINRULE_TEST_ASAN) && !defined(CHAINRULE_TEST_EMULATED)
TEST_CASE("a forked child finds a network that was in training as its epoch began") {
  const DataSet data(64, 7, 3);
  Network<float> network({dense(40, Activation::Kind::relu), dense(3)}, 7, 3);
  Trainer<float> trainer(network, cross_entropy(), optimizer(Optimizer::Kind::adam, 1e-3));
  trainer.fit(data.inputs_view(), data.by_label());
  const Snapshot<float> before(network);
  // An epoch of one row over and over, until the fork has been.
  RowsView many = view(data.x.data(), 1, 7);
  many.rows = 4'000'000;
  many.row_stride = 0;
  TargetsView targets = data.by_row();
  targets.values.rows = targets.rows = many.rows;
  targets.values.row_stride = 0;
  Trainer<float> other(network, mse(), optimizer(Optimizer::Kind::adam, 1e-3));
  std::atomic<bool> begun{false}, stop{false};
  std::thread training([&] {
    FitOptions o;
    o.batch_size = 1;
    o.shuffle = false;
    o.poll = [&](int64_t, double) {
      begun = true;
      return stop.load();
    };
    other.fit(many, targets, o);
  });
  while (!begun) std::this_thread::yield();
  const bool usable = in_child([&] {
    const bool same = Snapshot<float>(network) == before;
    FitOptions o;
    o.batch_size = 16;
    const bool both = other.fit(data.inputs_view(), data.by_row(), o).size() == 1 &&
                      trainer.fit(data.inputs_view(), data.by_label(), o).size() == 1;
    return same && both && network.predict(data.inputs_view()).size() == 192;
  });
  stop = true;
  training.join();
  CHECK(usable);
  CHECK(network.total_steps() > before.total_steps);
}

TEST_CASE("a child that was forked by the training's own callback may not use the network") {
  Network<float> network({dense(2)}, 3, 1);
  const std::vector<float> x(3), y(2);
  RowsView many = view(x.data(), 1, 3);
  TargetsView targets;
  targets.values = view(y.data(), 1, 2);
  many.rows = targets.rows = targets.values.rows = 100'000'000;
  many.row_stride = targets.values.row_stride = 0;
  EpochOptions o = options(1);
  o.shuffle = false;
  bool refused = false;
  o.poll = [&](int64_t, double) {
    refused = in_child([&] {
      try {
        network.steps();
      } catch (const StateError&) {
        return true;
      }
      return false;
    });
    return true;
  };
  network.run_epoch(many, targets, mse(), optimizer(Optimizer::Kind::sgd, 1e-3), o);
  CHECK(refused);
  CHECK(network.steps() > 0);
}
#endif
