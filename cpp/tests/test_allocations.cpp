// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "chainrule/trainer.hpp"
#include "engine/multiply_adds.hpp"
#include "engine/threads/thread_count.hpp"
#include "networks.hpp"
#include "replaced_new.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

constexpr int64_t kBatch = 32;
constexpr int64_t kInputs = 37;

Layers layers() {
  return {Rescaling(0.5),
          dense(101, Activation::Kind::relu),
          BatchNormalization(),
          Dropout(0.25),
          dense(89),
          LayerNormalization(),
          dense(5)};
}

/// Fewer where each batch is slow: on busy cores threads wait long for each other.
int64_t many_batches(int threads) {
#ifdef CHAINRULE_TEST_QUICK
  (void)threads;
  return 100;
#else
  return threads == 1 ? 1000 : 100;
#endif
}

template <class Run>
int64_t count(Run run) {
  const int64_t before = allocations();
  run();
  return allocations() - before;
}

}  // namespace

TEST_CASE("the counter counts") {
  static int* volatile kept;  // so that the compiler cannot leave the allocation out
  CHECK(count([] {
          kept = new int(3);
          delete kept;
        }) == 1);
  CHECK(count([] {}) == 0);
}

TEST_CASE("an epoch allocates the same however many batches it has") {
  const DataSet data(1000 * kBatch, kInputs, 5);
  REQUIRE(engine::worthwhile_threads(engine::multiply_adds(Graph::chain(layers(), kInputs)),
                                     kBatch) >= 2);
  for (const int threads : {1, 2})
    for (const double clip_norm : {0.0, 1.0}) {
      CAPTURE(threads);
      CAPTURE(clip_norm);
      Network<float> network(layers(), kInputs, 1);
      Optimizer rule = optimizer(Optimizer::Kind::adam, 1e-3);
      rule.clip_norm = clip_norm;
      EpochOptions o;
      o.batch_size = kBatch;
      o.num_threads = threads;
      TargetsView y = data.by_label();
      y.sample_weights = data.weights.data();
      data.weigh_classes(y);
      const Loss loss = Loss::defaults(Loss::Kind::cross_entropy);
      const auto epoch = [&](int64_t batches) {
        y.rows = batches * kBatch;
        const RowsView x = view(data.x.data(), y.rows, kInputs);
        return count([&] { network.run_epoch(x, y, loss, rule, o); });
      };
      const int64_t many = many_batches(threads);
      epoch(many);
      epoch(10);
      const int64_t few = epoch(10);
      CHECK(epoch(many) == few);
    }
}

TEST_CASE("a prediction allocates nothing once the plan is there, however many batches it takes") {
  const DataSet data(1000 * kBatch, kInputs, 5);
  std::vector<float> outputs(static_cast<size_t>(data.rows * 5));
  for (const int threads : {1, 2}) {
    CAPTURE(threads);
    Network<float> network(layers(), kInputs, 1);
    const auto predict = [&](int64_t batches) {
      const RowsView x = view(data.x.data(), batches * kBatch, kInputs);
      return count([&] { network.predict(x, kBatch, threads, outputs.data()); });
    };
    CHECK(predict(10) > 0);
    CHECK(predict(10) == 0);
    CHECK(predict(many_batches(threads)) == 0);
  }
}

TEST_CASE("an online step allocates nothing after the first two with so many rows") {
  const DataSet data(4 * kBatch, kInputs, 5);
  for (const std::int64_t rows : {std::int64_t{2}, std::int64_t{7}}) {  // one has no statistics
    CAPTURE(rows);
    Network<float> network(layers(), kInputs, 1);
    Schedule schedule = Schedule::defaults(Schedule::Kind::exponential);
    schedule.period = 100;
    Trainer<float> trainer(network, Loss::defaults(Loss::Kind::cross_entropy),
                           optimizer(Optimizer::Kind::adam, 1e-3), schedule);
    const auto step = [&](std::int64_t i) {
      TargetsView y;
      y.labels = data.labels.data() + i;
      y.rows = rows;
      return count([&] { trainer.step(view(data.x.data() + i * kInputs, rows, kInputs), y); });
    };
    CHECK(step(0) > 0);
    step(1);  // only now is there a state of the optimizer to keep
    for (std::int64_t i = 2; i < 100; ++i) CHECK(step(i) == 0);
  }
}
