// SPDX-License-Identifier: Apache-2.0
// Training on all rows at once in C, against the same in C++.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "c_training.hpp"
#include "chainrule/full_batch.hpp"

using namespace chainrule;
using namespace chainrule::testing;

namespace {

constexpr const char* kLbfgs = R"({"kind": "lbfgs", "max_iterations": 5})";
constexpr const char* kMarquardt = R"({"kind": "levenberg_marquardt", "max_iterations": 4})";

chainrule_full_batch_options options_of(const char* optimizer) {
  chainrule_full_batch_options o{};
  o.struct_size = sizeof o;
  o.loss = "mse";
  o.optimizer = optimizer;
  return o;
}

CFullBatchTrainer full_batch(const Training& t, const chainrule_full_batch_options& o) {
  chainrule_full_batch_trainer* made = nullptr;
  REQUIRE(refusal(chainrule_full_batch_trainer_create(t.network.get(), &t.rows, &t.targets, &o,
                                                      &made)) == "none");
  return CFullBatchTrainer(made);
}

std::string refused(const Training& t, const chainrule_full_batch_options& o) {
  auto* made = untouched<chainrule_full_batch_trainer>;
  const std::string text =
      refusal(chainrule_full_batch_trainer_create(t.network.get(), &t.rows, &t.targets, &o, &made));
  CHECK(made == untouched<chainrule_full_batch_trainer>);
  return text;
}

chainrule_iteration_report step(const CFullBatchTrainer& trainer) {
  chainrule_iteration_report report{};
  report.struct_size = sizeof report;
  REQUIRE(refusal(chainrule_full_batch_trainer_step(trainer.get(), nullptr, 0, &report)) == "none");
  return report;
}

}  // namespace

TEST_CASE("C: iterations on all rows are those of C++") {
  for (const char* const kind : {kLbfgs, kMarquardt}) {
    CAPTURE(kind);
    Training t;
    const CFullBatchTrainer trainer = full_batch(t, options_of(kind));
    Same same;
    TargetsView y;
    y.values = view(same.y.data(), 7, 2);
    y.rows = 7;
    const FullBatchOptimizer method = kind == kLbfgs
                                          ? FullBatchOptimizer(Lbfgs{.max_iterations = 5})
                                          : LevenbergMarquardt{.max_iterations = 4};
    FullBatchTrainer<float> expected(same.network, view(same.x.data(), 7, 4), y, mse(), method);
    std::int64_t made = 0;
    while (expected.step()) {
      const IterationReport& wanted = expected.report();
      const chainrule_iteration_report report = step(trainer);
      CHECK(report.made == 1);
      CHECK(report.iteration == ++made);
      CHECK(report.epoch == wanted.epoch);
      CHECK(report.loss == wanted.loss);
      CHECK(report.losses[0].sum / report.losses[0].weight == wanted.loss);
      CHECK(report.gradient_norm == wanted.gradient_norm);
      CHECK(report.step_length == wanted.step_length);
      CHECK(report.evaluations == wanted.evaluations);
      CHECK(report.damping == wanted.damping);
      CHECK(report.end == static_cast<std::int64_t>(expected.end()));
      CHECK(t.weights() == same.weights());
    }
    REQUIRE(made > 1);
    const chainrule_iteration_report report = step(trainer);
    CHECK(report.made == 0);
    CHECK(report.end == CHAINRULE_END_MAX_ITERATIONS);
    CHECK(report.iteration == made);
    CHECK(t.weights() == same.weights());
  }
}

TEST_CASE("C: the outputs of an iteration are the network's") {
  Training t;
  const CFullBatchTrainer trainer = full_batch(t, options_of(nullptr));
  std::vector<float> outputs(14), expected(14);
  chainrule_iteration_report report{};
  report.struct_size = sizeof report;
  REQUIRE(chainrule_full_batch_trainer_step(trainer.get(), outputs.data(),
                                            outputs.size() * sizeof(float),
                                            &report) == CHAINRULE_OK);
  REQUIRE(chainrule_network_predict(t.network.get(), &t.rows, nullptr, expected.data(),
                                    expected.size() * sizeof(float)) == CHAINRULE_OK);
  CHECK(outputs == expected);
}

TEST_CASE("C: a fit tells of epochs that iterations make, and ends with them") {
  struct Iterating : Training {
    CFullBatchTrainer iterations = full_batch(*this, options_of(kLbfgs));
  } t;
  t.options.context = &t;
  t.validate();
  t.options.epochs = 9;
  t.options.iterate = [](void* c, chainrule_loss_sum* losses) {
    const chainrule_iteration_report report =
        step(static_cast<Iterating*>(static_cast<Training*>(c))->iterations);
    if (report.made != 0) losses[0] = report.losses[0];
    return static_cast<int>(report.made);
  };
  t.options.on_trained = [](void* c, const chainrule_epoch_report* report,
                            const chainrule_loss_sum* losses) {
    CHECK(report->loss == losses[0].sum / losses[0].weight);
    training(c).losses.push_back(report->loss);
  };
  t.options.on_epoch = [](void* c, const chainrule_epoch_report* report) {
    CHECK(report->validation_loss == report->loss);  // of the same rows
    training(c).events += std::to_string(report->epoch) + " ";
    return 0;
  };
  CHECK(t.fit() == "none");
  CHECK(t.events == "1 2 3 4 5 ");
  CHECK(t.last.epoch == 5);

  Training alone;
  const CFullBatchTrainer trainer = full_batch(alone, options_of(kLbfgs));
  for (const double loss : t.losses) CHECK(step(trainer).loss == loss);
  CHECK(t.weights() == alone.weights());
}

TEST_CASE("C: an iteration that failed ends the training, whose epochs stay") {
  Training t;
  t.options.epochs = 9;
  t.options.iterate = [](void*, chainrule_loss_sum*) { return -2; };
  const std::vector<float> before = t.weights();
  CHECK(t.fit() == "CALLBACK: options.iterate gave -2");
  CHECK(t.weights() == before);
  // One that makes no epoch ends the training as one that says so.
  t.options.iterate = [](void*, chainrule_loss_sum*) { return 1; };
  CHECK(t.fit() == "none");
  CHECK(t.last.epoch == 0);
}

TEST_CASE("C: what does not fit a training on all rows is refused") {
  Training t;
  const std::vector<float> before = t.weights();
  chainrule_full_batch_options o = options_of("adam");
  CHECK(refused(t, o).find("'adam'") != std::string::npos);
  o = options_of(R"({"kind": "lbfgs", "memory": 0})");
  CHECK(refused(t, o).find("memory must") != std::string::npos);
  o = options_of(kMarquardt);
  o.loss = "mae";
  CHECK(refused(t, o).find("ARGUMENT: levenberg_marquardt minimises squared errors") == 0);
  o.loss = nullptr;
  CHECK(refused(t, o) ==
        "ARGUMENT: options.loss is NULL, and the network is from no file with one");
  o = options_of(nullptr);
  o.batch_size = -1;
  CHECK(refused(t, o) == "ARGUMENT: batch_size must be >= 1, got -1");
  o = options_of(nullptr);
  o.num_threads = -1;
  CHECK(refused(t, o) == "ARGUMENT: num_threads is -1, expected 0 or more");
  o.struct_size = 3;
  CHECK(refused(t, o).find("ARGUMENT: options.struct_size is 3") == 0);
  t.rows.columns = 3;
  CHECK(refused(t, options_of(nullptr)).find("ARGUMENT: x has 3 columns") == 0);
  CHECK(t.weights() == before);
}

TEST_CASE("C: misuse of a trainer on all rows") {
  Training t;
  chainrule_iteration_report report{};
  report.struct_size = sizeof report;
  CHECK(refusal(chainrule_full_batch_trainer_step(nullptr, nullptr, 0, &report)) ==
        "ARGUMENT: full_batch_trainer is NULL");
  CHECK(chainrule_full_batch_trainer_destroy(nullptr) == CHAINRULE_OK);
  auto* const other = reinterpret_cast<chainrule_full_batch_trainer*>(t.trainer.get());
  CHECK(refusal(chainrule_full_batch_trainer_step(other, nullptr, 0, &report)) ==
        "ARGUMENT: expected a chainrule_full_batch_trainer, got a chainrule_trainer");
  CHECK(refusal(chainrule_full_batch_trainer_create(t.network.get(), &t.rows, &t.targets, nullptr,
                                                    nullptr)) ==
        "ARGUMENT: the result's pointer is NULL");
  CFullBatchTrainer trainer = full_batch(t, options_of(nullptr));
  const std::vector<float> before = t.weights();
  CHECK(refusal(chainrule_full_batch_trainer_step(trainer.get(), nullptr, 0, nullptr)) ==
        "ARGUMENT: report is NULL");
  std::vector<float> outputs(14);
  CHECK(refusal(chainrule_full_batch_trainer_step(trainer.get(), outputs.data(), 8, &report)) ==
        "ARGUMENT: outputs takes 56 bytes, 14 numbers of type float32, got 8");
  CHECK(refusal(chainrule_full_batch_trainer_step(trainer.get(), nullptr, 56, &report)) ==
        "ARGUMENT: outputs is NULL");
  CHECK(t.weights() == before);
  auto* const handle = trainer.release();
  CHECK(chainrule_full_batch_trainer_destroy(handle) == CHAINRULE_OK);
  CHECK(refusal(chainrule_full_batch_trainer_step(handle, nullptr, 0, &report)) ==
        "ARGUMENT: the full_batch_trainer has been destroyed");
}
