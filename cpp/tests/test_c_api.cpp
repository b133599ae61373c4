// SPDX-License-Identifier: Apache-2.0
// The C interface does what the C++ one does; c_api.c is a program that uses all of it.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "c_handles.hpp"
#include "chainrule/config.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/trainer.hpp"
#include "golden.hpp"

using namespace chainrule;
using namespace chainrule::testing;

TEST_CASE("C: a training that Python began goes on to the same bits") {
  const std::string content = golden("format_1_paused.safetensors");
  chainrule_network* read = nullptr;
  REQUIRE(chainrule_network_read(content.data(), content.size(), &read) == CHAINRULE_OK);
  const CNetwork network(read);
  chainrule_trainer* made = nullptr;
  REQUIRE(chainrule_trainer_create(network.get(), nullptr, &made) == CHAINRULE_OK);
  const CTrainer trainer(made);
  const GoldenData data;
  const chainrule_rows x = c_rows(data.x, GoldenData::inputs);
  const chainrule_targets y = c_labels(data.labels);
  chainrule_fit_options options{};
  options.struct_size = sizeof options;
  options.batch_size = 8;
  REQUIRE(chainrule_trainer_fit(trainer.get(), &x, &y, &options, nullptr) == CHAINRULE_OK);
  const TemporaryFile file;
  REQUIRE(chainrule_trainer_save(trainer.get(), file.path.c_str()) == CHAINRULE_OK);
  CHECK(without_version(content_of(file.path)) ==
        without_version(golden("format_1_cpp.safetensors")));
}

TEST_CASE("C: every optimizer trains by its name as it does in C++") {
  for (const std::string& kind : Optimizer::kinds()) {
    CAPTURE(kind);
    const CNetwork network = c_network();
    const CTrainer trainer = c_trainer(network, kind.c_str());
    REQUIRE(trainer);
    const std::vector<float> x{1, 2, 3, 4, 5, 6, 7, 8}, y{0.5f, -0.5f, 1, -1};
    const chainrule_rows rows = c_rows(x, 4);
    const chainrule_rows values = c_rows(y, 2);
    const chainrule_targets wanted = c_targets(&values);
    Network<float> other({Dense(3, "tanh"), Dense(2)}, 4, 5);
    Trainer<float> expected(other, Loss::defaults(Loss::Kind::mse),
                            Optimizer::from_config({kind, {}}));
    for (int step = 0; step < 3; ++step) {
      double loss = 0.0;
      REQUIRE(chainrule_trainer_step(trainer.get(), &rows, &wanted, &loss) == CHAINRULE_OK);
      CHECK(loss == expected.step(view(x, 4), targets(view(y, 2))));
    }
  }
}

TEST_CASE("C: a file that was read is written as it was") {
  const std::string content = golden("format_1_cpp.safetensors");
  chainrule_network* read = nullptr;
  REQUIRE(chainrule_network_read(content.data(), content.size(), &read) == CHAINRULE_OK);
  const CNetwork network(read);
  chainrule_network* copied = nullptr;
  REQUIRE(chainrule_network_copy(network.get(), &copied) == CHAINRULE_OK);
  const CNetwork copy(copied);
  for (const chainrule_network* each : {network.get(), copy.get()}) {
    const TemporaryFile file;
    REQUIRE(chainrule_network_save(each, file.path.c_str()) == CHAINRULE_OK);
    CHECK(without_version(content_of(file.path)) == without_version(content));
  }
}

TEST_CASE("C: every exception becomes a status, and its text stays in its thread") {
  const CNetwork network = c_network();
  const CTrainer trainer = c_trainer(network);
  const std::vector<float> x(8), y(4);
  const chainrule_rows rows = c_rows(x, 4);
  const chainrule_rows values = c_rows(y, 2);
  const chainrule_targets wanted = c_targets(&values);
  const auto status_when = [&](int (*on_epoch)(void*, const chainrule_epoch_report*)) {
    chainrule_fit_options options{};
    options.struct_size = sizeof options;
    options.on_epoch = on_epoch;
    return chainrule_trainer_fit(trainer.get(), &rows, &wanted, &options, nullptr);
  };
  using Report = const chainrule_epoch_report*;
  CHECK(status_when([](void*, Report) -> int { throw std::bad_alloc(); }) ==
        CHAINRULE_ERROR_MEMORY);
  CHECK(std::string(chainrule_last_error()) == "not enough memory");
  CHECK(status_when([](void*, Report) -> int { throw std::length_error("long"); }) ==
        CHAINRULE_ERROR_MEMORY);
  CHECK(status_when([](void*, Report) -> int { throw 3; }) == CHAINRULE_ERROR_INTERNAL);
  CHECK(std::string(chainrule_last_error()) == "an unknown exception");
  CHECK(status_when([](void*, Report) -> int {
          throw std::runtime_error(std::string(1022, 'a') + "\xc3\xa9");
        }) == CHAINRULE_ERROR_INTERNAL);
  CHECK(std::string(chainrule_last_error()) == std::string(1022, 'a'));
  std::string other = "none";
  std::thread([&] { other = chainrule_last_error(); }).join();
  CHECK(other.empty());
  CHECK(status_when([](void*, Report) -> int { return 0; }) == CHAINRULE_OK);
  CHECK(std::string(chainrule_last_error()).size() == 1022);
}

TEST_CASE("C: a second thread on a trainer is an error") {
  const CNetwork network = c_network();
  struct Shared {
    const CNetwork& network;
    CTrainer trainer;
    std::vector<float> x = std::vector<float>(8), y = std::vector<float>(4);
    chainrule_rows rows = c_rows(x, 4);
    chainrule_rows values = c_rows(y, 2);
    chainrule_targets wanted = c_targets(&values);
    std::atomic<int> as_told{0};
  };
  Shared shared{network, c_trainer(network)};
  chainrule_fit_options options{};
  options.struct_size = sizeof options;
  options.context = &shared;
  options.on_epoch = [](void* context, const chainrule_epoch_report*) {
    auto& s = *static_cast<Shared*>(context);
    std::thread([&s] {
      double loss = -1.0;
      if (chainrule_trainer_step(s.trainer.get(), &s.rows, &s.wanted, &loss) ==
              CHAINRULE_ERROR_STATE &&
          std::string(chainrule_last_error()).find("in use by another thread") !=
              std::string::npos &&
          loss == -1.0)
        ++s.as_told;
      float outputs[4];
      // Between epochs the network is free.
      if (chainrule_network_predict(s.network.get(), &s.rows, nullptr, outputs, sizeof outputs) ==
          CHAINRULE_OK)
        ++s.as_told;
    }).join();
    return 0;
  };
  CHECK(chainrule_trainer_fit(shared.trainer.get(), &shared.rows, &shared.wanted, &options,
                              nullptr) == CHAINRULE_OK);
  CHECK(shared.as_told == 2);
}

TEST_CASE("C: numbers that are not finite are named by row and column") {
  Rig r;
  r.x[6] = std::numeric_limits<float>::quiet_NaN();
  constexpr const char* in_x = "ARGUMENT: x must be finite; row 1, column 2 is NaN";
  CHECK(r.fit() == in_x);
  double loss = -1.0;
  CHECK(refusal(chainrule_trainer_step(r.trainer.get(), &r.rows, &r.targets, &loss)) == in_x);
  CHECK(refusal(chainrule_trainer_evaluate(r.trainer.get(), &r.rows, &r.targets, 0, &loss)) ==
        in_x);
  CHECK(loss == -1.0);
  r.x[6] = 0.5f;
  r.y[3] = std::numeric_limits<float>::infinity();
  CHECK(r.fit() == "ARGUMENT: y must be finite; row 1, column 1 is infinite");
}

TEST_CASE("C: targets that no loss compares are refused, rows to predict not looked at") {
  const CNetwork network = c_network();
  const CTrainer trainer = c_trainer(network, "sgd", "binary_cross_entropy");
  std::vector<float> x(8, 0.5f);
  std::vector<float> y{0, 1, 0, 2};
  const chainrule_rows rows = c_rows(x, 4), values = c_rows(y, 2);
  const chainrule_targets wanted = c_targets(&values);
  constexpr const char* text =
      "ARGUMENT: y[1, 1] = 2.0 is not a target of binary_cross_entropy: expected numbers in [0, 1]";
  double loss = -1.0;
  CHECK(refusal(chainrule_trainer_fit(trainer.get(), &rows, &wanted, nullptr, nullptr)) == text);
  CHECK(refusal(chainrule_trainer_step(trainer.get(), &rows, &wanted, &loss)) == text);
  CHECK(refusal(chainrule_trainer_evaluate(trainer.get(), &rows, &wanted, 0, &loss)) == text);
  CHECK(loss == -1.0);
  std::vector<float> outputs(4), expected(4);
  REQUIRE(chainrule_network_predict(network.get(), &rows, nullptr, expected.data(), 16) ==
          CHAINRULE_OK);
  x[6] = std::numeric_limits<float>::quiet_NaN();
  REQUIRE(chainrule_network_predict(network.get(), &rows, nullptr, outputs.data(), 16) ==
          CHAINRULE_OK);
  CHECK(outputs[0] == expected[0]);
  CHECK(outputs[1] == expected[1]);
  CHECK(outputs[2] != outputs[2]);
}

TEST_CASE("C: any number of threads predict with one network") {
  const CNetwork network = c_network();
  const std::vector<float> x(400, 0.5f);
  const chainrule_rows rows = c_rows(x, 4);
  std::vector<float> expected(200);
  REQUIRE(chainrule_network_predict(network.get(), &rows, nullptr, expected.data(),
                                    expected.size() * sizeof(float)) == CHAINRULE_OK);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      std::vector<float> outputs(200);
      for (int repeat = 0; repeat < 100; ++repeat) {
        wrong += chainrule_network_predict(network.get(), &rows, nullptr, outputs.data(),
                                           outputs.size() * sizeof(float)) != CHAINRULE_OK;
        wrong += outputs != expected;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("C: a loss that diverges is a status, and nothing has changed") {
  const CNetwork network = c_network();
  const CTrainer trainer = c_trainer(network, R"({"kind": "sgd", "learning_rate": 1e30})");
  const std::vector<float> before = c_parameter(network, "0.weight");
  const std::vector<float> x(8, 1.0f), y(4, 1.0f);
  const chainrule_rows rows = c_rows(x, 4);
  const chainrule_rows values = c_rows(y, 2);
  const chainrule_targets wanted = c_targets(&values);
  chainrule_fit_options options{};
  options.struct_size = sizeof options;
  options.batch_size = 1;
  options.epochs = 3;
  chainrule_epoch_report last{};
  last.struct_size = sizeof last;
  last.epoch = -5;
  CHECK(chainrule_trainer_fit(trainer.get(), &rows, &wanted, &options, &last) ==
        CHAINRULE_ERROR_DIVERGENCE);
  CHECK(std::string(chainrule_last_error()).find("epoch") != std::string::npos);
  CHECK(last.epoch == -5);
  CHECK(c_parameter(network, "0.weight") == before);
}
