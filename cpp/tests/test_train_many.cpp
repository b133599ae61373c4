// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/train_many.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

constexpr std::int64_t kRows = 90, kColumns = 6;

struct Table {
  std::vector<float> x = std::vector<float>(kRows * kColumns);
  std::vector<float> y = std::vector<float>(kRows);

  Table() {
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>((i * 37 + i / 7) % 101) / 50.0F - 1.0F;
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i * kColumns] - x[i * kColumns + 3];
  }
};

Network<float> network(std::uint64_t seed) {
  return {{Normalization(), Dense(12, "relu"), Dropout(0.2), Dense(1)}, kColumns, seed};
}

struct Training {
  Network<float> net;
  Trainer<float> trainer;

  explicit Training(std::uint64_t seed, double rate = 0.01)
      : net(network(seed)),
        trainer(net, Loss::defaults(Loss::Kind::mse), Adam{.learning_rate = rate}) {}
};

/// Rows of a table by their numbers, as a table of their own.
std::vector<float> copied(const std::vector<float>& table, std::int64_t columns,
                          const std::vector<std::int64_t>& rows) {
  std::vector<float> out;
  for (const std::int64_t i : rows)
    out.insert(out.end(), table.begin() + i * columns, table.begin() + (i + 1) * columns);
  return out;
}

std::vector<std::vector<std::int64_t>> some_rows() {
  std::vector<std::vector<std::int64_t>> lists(5);
  for (std::size_t k = 0; k < lists.size(); ++k)
    for (std::int64_t i = 0; i < 70; ++i)
      lists[k].push_back((i * 13 + static_cast<std::int64_t>(k) * 7) % (k == 3 ? 40 : kRows));
  return lists;
}

FitOptions options_of(const std::vector<std::int64_t>& rows) {
  FitOptions o;
  o.epochs = 3;
  o.batch_size = 16;
  o.rows = rows;
  return o;
}

}  // namespace

TEST_CASE("many trainings on rows of one table have the bits of trainings on copies of them") {
  const Table table;
  const auto lists = some_rows();
  for (const int threads : {1, 2, 3, 7}) {
    CAPTURE(threads);
    std::vector<std::unique_ptr<Training>> trainings;
    std::vector<TrainingJob<float>> jobs;
    for (std::size_t k = 0; k < lists.size(); ++k) {
      trainings.push_back(std::make_unique<Training>(k));
      FitOptions o = options_of(lists[k]);
      o.validation_x = view(table.x, kColumns);
      o.validation_y = targets(view(table.y, 1));
      o.validation_rows = lists[(k + 1) % lists.size()];
      jobs.push_back({.trainer = &trainings[k]->trainer,
                      .x = view(table.x, kColumns),
                      .y = targets(view(table.y, 1)),
                      .options = o});
    }
    train_many<float>(jobs, {.num_threads = threads});
    for (std::size_t k = 0; k < lists.size(); ++k) {
      const std::vector<float> x = copied(table.x, kColumns, lists[k]);
      const std::vector<float> y = copied(table.y, 1, lists[k]);
      const auto& others = lists[(k + 1) % lists.size()];
      const std::vector<float> held_x = copied(table.x, kColumns, others);
      const std::vector<float> held_y = copied(table.y, 1, others);
      Training alone(k);
      FitOptions o = options_of({});
      o.validation_x = view(held_x, kColumns);
      o.validation_y = targets(view(held_y, 1));
      const auto reports = alone.trainer.fit(view(x, kColumns), targets(view(y, 1)), o);
      CHECK(jobs[k].finished);
      CHECK(jobs[k].error == nullptr);
      REQUIRE(jobs[k].reports.size() == reports.size());
      for (std::size_t e = 0; e < reports.size(); ++e) {
        CHECK(jobs[k].reports[e].loss == reports[e].loss);
        CHECK(jobs[k].reports[e].validation_loss == reports[e].validation_loss);
      }
      CHECK(Snapshot<float>(trainings[k]->net) == Snapshot<float>(alone.net));
    }
  }
}

TEST_CASE("a training that fails leaves the others alone") {
  const Table table;
  std::vector<std::unique_ptr<Training>> trainings;
  std::vector<TrainingJob<float>> jobs;
  const std::vector<std::int64_t> wrong{0, kRows};
  for (std::size_t k = 0; k < 4; ++k) {
    trainings.push_back(std::make_unique<Training>(k, k == 1 ? 1e38 : 0.01));
    jobs.push_back({.trainer = k == 3 ? nullptr : &trainings[k]->trainer,
                    .x = view(table.x, kColumns),
                    .y = targets(view(table.y, 1)),
                    .options = options_of({})});
  }
  jobs[2].options.rows = wrong;
  jobs[0].options.num_threads = 5;
  train_many<float>(jobs, {.num_threads = 2});
  CHECK(jobs[0].reports.size() == 3);
  CHECK(jobs[0].options.num_threads == 5);
  CHECK_FALSE(jobs[0].options.poll);
  CHECK_THROWS_AS(std::rethrow_exception(jobs[1].error), DivergenceError);
  CHECK_THROWS_WITH_AS(std::rethrow_exception(jobs[2].error),
                       "rows[1] is 90, which is no row of x: those are 0..89", Error);
  CHECK_THROWS_WITH_AS(std::rethrow_exception(jobs[3].error), "a job has no trainer", Error);
  // The trainers are free again.
  for (std::size_t k = 0; k < 3; ++k)
    trainings[k]->trainer.set_optimizer(Adam{.learning_rate = 1e-3});
}

TEST_CASE("what poll says ends all trainings") {
  const Table table;
  for (const bool throws : {false, true}) {
    std::vector<std::unique_ptr<Training>> trainings;
    std::vector<TrainingJob<float>> jobs;
    for (std::size_t k = 0; k < 5; ++k) {
      trainings.push_back(std::make_unique<Training>(k));
      jobs.push_back({.trainer = &trainings[k]->trainer,
                      .x = view(table.x, kColumns),
                      .y = targets(view(table.y, 1)),
                      .options = options_of({})});
      jobs[k].options.epochs = std::int64_t{1} << 40;
    }
    TrainManyOptions options;
    options.num_threads = 2;
    options.poll = [throws](std::int64_t ended) {
      CHECK(ended == 0);
      if (throws) throw std::runtime_error("enough");
      return true;
    };
    if (throws) {
      CHECK_THROWS_WITH(train_many<float>(jobs, options), "enough");
    } else {
      train_many<float>(jobs, options);
    }
    for (const TrainingJob<float>& job : jobs) {
      CHECK_FALSE(job.finished);
      CHECK(job.error == nullptr);
    }
    CHECK(trainings[0]->net.total_steps() > 0);
  }
}

TEST_CASE("evaluation of a list of rows is that of a copy of them") {
  const Table table;
  Training training(3);
  const std::vector<std::int64_t> rows = some_rows()[3];
  const std::vector<float> x = copied(table.x, kColumns, rows);
  const std::vector<float> y = copied(table.y, 1, rows);
  std::vector<float> outputs(rows.size()), expected(rows.size());
  const Loss loss = Loss::defaults(Loss::Kind::mse);
  const double found =
      training.net.evaluate(view(table.x, kColumns), targets(view(table.y, 1)), loss, 16, 1,
                            outputs.data(), InputSparsity::automatic, {}, nullptr, rows);
  CHECK(found == training.net.evaluate(view(x, kColumns), targets(view(y, 1)), loss, 16, 1,
                                       expected.data()));
  CHECK(outputs == expected);
}
