// SPDX-License-Identifier: Apache-2.0
// What a C caller can do wrong: a status with a text that names it, and nothing changed.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "c_handles.hpp"
#include "golden.hpp"

namespace {

using namespace chainrule::testing;

std::string refused_layers(const char* layers, std::int64_t inputs = 4) {
  chainrule_network* made = untouched<chainrule_network>;
  const std::string text = refusal(chainrule_network_create(layers, inputs, nullptr, &made));
  CHECK(made == untouched<chainrule_network>);
  return text;
}

}  // namespace

TEST_CASE("C: null arguments are named") {
  Rig r;
  float out[4] = {};
  double loss = 0.0;
  const char* text = nullptr;
  chainrule_network_info info{};
  info.struct_size = sizeof info;
  chainrule_network* network = nullptr;
  CHECK(refused_layers(nullptr) == "ARGUMENT: layers is NULL");
  CHECK(refusal(chainrule_network_create("[\"normalization\"]", 1, nullptr, nullptr)) ==
        "ARGUMENT: the result's pointer is NULL");
  CHECK(refusal(chainrule_network_load(nullptr, &network)) == "ARGUMENT: path is NULL");
  CHECK(refusal(chainrule_network_read(nullptr, 0, &network)) == "ARGUMENT: content is NULL");
  CHECK(refusal(chainrule_network_save(nullptr, "a")) == "ARGUMENT: network is NULL");
  CHECK(refusal(chainrule_network_save(r.network.get(), nullptr)) == "ARGUMENT: path is NULL");
  CHECK(refusal(chainrule_network_copy(nullptr, &network)) == "ARGUMENT: network is NULL");
  CHECK(refusal(chainrule_network_get_info(nullptr, &info)) == "ARGUMENT: network is NULL");
  CHECK(refusal(chainrule_network_get_info(r.network.get(), nullptr)) == "ARGUMENT: info is NULL");
  CHECK(refusal(chainrule_network_get_layers(nullptr, &text)) == "ARGUMENT: network is NULL");
  CHECK(refusal(chainrule_network_get_parameter(r.network.get(), nullptr, out, 8)) ==
        "ARGUMENT: name is NULL");
  CHECK(refusal(chainrule_network_get_parameter(r.network.get(), "1.bias", nullptr, 8)) ==
        "ARGUMENT: values is NULL");
  CHECK(refusal(chainrule_network_adapt(r.network.get(), nullptr)) == "ARGUMENT: x is NULL");
  CHECK(refusal(chainrule_network_predict(r.network.get(), &r.rows, nullptr, nullptr, 16)) ==
        "ARGUMENT: outputs is NULL");
  CHECK(refusal(chainrule_trainer_create(nullptr, nullptr, nullptr)) ==
        "ARGUMENT: network is NULL");
  CHECK(refusal(chainrule_trainer_fit(nullptr, &r.rows, &r.targets, nullptr, nullptr)) ==
        "ARGUMENT: trainer is NULL");
  CHECK(refusal(chainrule_trainer_step(r.trainer.get(), nullptr, &r.targets, &loss)) ==
        "ARGUMENT: x is NULL");
  CHECK(refusal(chainrule_trainer_step(r.trainer.get(), &r.rows, nullptr, &loss)) ==
        "ARGUMENT: y is NULL");
  CHECK(refusal(chainrule_trainer_evaluate(r.trainer.get(), &r.rows, &r.targets, 1, nullptr)) ==
        "ARGUMENT: loss is NULL");
  CHECK(refusal(chainrule_scratch_create(nullptr, 1, nullptr)) == "ARGUMENT: predictor is NULL");
  CHECK(refusal(chainrule_predictor_predict(r.predictor.get(), nullptr, out, 16, out, 8)) ==
        "ARGUMENT: scratch is NULL");
  CHECK(refusal(chainrule_predictor_predict(r.predictor.get(), r.scratch.get(), nullptr, 16, out,
                                            8)) == "ARGUMENT: in is NULL");
  CHECK(refusal(chainrule_predictor_predict(r.predictor.get(), r.scratch.get(), out, 16, nullptr,
                                            8)) == "ARGUMENT: out is NULL");
  CHECK(chainrule_network_destroy(nullptr) == CHAINRULE_OK);
  CHECK(chainrule_trainer_destroy(nullptr) == CHAINRULE_OK);
  CHECK(chainrule_predictor_destroy(nullptr) == CHAINRULE_OK);
  CHECK(chainrule_scratch_destroy(nullptr) == CHAINRULE_OK);
}

TEST_CASE("C: destroyed handles, and those of another kind, are refused") {
  Rig r;
  float out[4] = {};
  chainrule_network* const network = r.network.get();
  chainrule_trainer* const trainer = r.trainer.get();
  chainrule_predictor* const predictor = r.predictor.get();
  chainrule_scratch* const scratch = r.scratch.get();
  CHECK(refusal(chainrule_trainer_step(reinterpret_cast<chainrule_trainer*>(network), &r.rows,
                                       &r.targets, nullptr)) ==
        "ARGUMENT: expected a chainrule_trainer, got a chainrule_network");
  CHECK(refusal(chainrule_network_destroy(reinterpret_cast<chainrule_network*>(scratch))) ==
        "ARGUMENT: expected a chainrule_network, got a chainrule_scratch");
  alignas(8) char nothing[64] = {};
  CHECK(refusal(chainrule_predictor_destroy(reinterpret_cast<chainrule_predictor*>(nothing))) ==
        "ARGUMENT: the pointer given for a chainrule_predictor is no handle");

  CHECK(chainrule_scratch_destroy(r.scratch.release()) == CHAINRULE_OK);
  CHECK(chainrule_predictor_destroy(r.predictor.release()) == CHAINRULE_OK);
  CHECK(chainrule_trainer_destroy(r.trainer.release()) == CHAINRULE_OK);
  CHECK(chainrule_network_destroy(r.network.release()) == CHAINRULE_OK);
  for (int i = 0; i < 100; ++i) c_network();  // which must not take the place of those
  CHECK(refusal(chainrule_network_destroy(network)) == "ARGUMENT: the network has been destroyed");
  CHECK(refusal(chainrule_network_predict(network, &r.rows, nullptr, out, sizeof out)) ==
        "ARGUMENT: the network has been destroyed");
  CHECK(refusal(chainrule_trainer_step(trainer, &r.rows, &r.targets, nullptr)) ==
        "ARGUMENT: the trainer has been destroyed");
  CHECK(refusal(chainrule_predictor_update(predictor, network)) ==
        "ARGUMENT: the predictor has been destroyed");
  const CNetwork other = c_network();
  const CPredictor present = c_predictor(other);
  CHECK(refusal(chainrule_predictor_predict(present.get(), scratch, out, 16, out, 8)) ==
        "ARGUMENT: the scratch has been destroyed");
}

TEST_CASE("C: any number of handles comes and goes") {
  for (int i = 0; i < 3000; ++i) REQUIRE(c_network() != nullptr);
}

TEST_CASE("C: wrong descriptions are refused by their names") {
  CHECK(refused_layers("[{\"kind\": \"dense\", \"unit\": 3}]").find("unit") != std::string::npos);
  CHECK(refused_layers("[\"densee\"]").find("did you mean 'dense'") != std::string::npos);
  CHECK(refused_layers("[]") == "ARGUMENT: a network needs at least one layer");
  CHECK(refused_layers("dense").substr(0, 10) == "ARGUMENT: ");
  CHECK(refused_layers(std::string(1 << 20, '[').c_str()).find("nested") != std::string::npos);
  CHECK(refused_layers("[\"normalization\"]", 0) ==
        "ARGUMENT: a network needs at least one input, got 0");
  const std::string huge =
      refused_layers("[{\"kind\": \"dense\", \"units\": 4611686018427387904}]");
  CHECK(huge != "none");
  Rig r;
  chainrule_trainer* made = untouched<chainrule_trainer>;
  chainrule_trainer_options o{};
  o.struct_size = sizeof o;
  const auto trainer = [&] {
    const std::string text = refusal(chainrule_trainer_create(r.network.get(), &o, &made));
    CHECK(made == untouched<chainrule_trainer>);
    return text;
  };
  CHECK(trainer() == "ARGUMENT: options.loss is NULL, and the network is from no file with one");
  o.loss = "mse";
  CHECK(trainer() ==
        "ARGUMENT: options.optimizer is NULL, and the network is from no file with one");
  o.optimizer = "adm";
  CHECK(trainer().find("did you mean 'adam'") != std::string::npos);
  o.optimizer = "{\"kind\": \"adam\", \"learning_rate\": -1}";
  CHECK(trainer().find("learning_rate") != std::string::npos);
  o.optimizer = "adam";
  o.schedule = "cosine";
  CHECK(trainer().find("epochs") != std::string::npos);
}

TEST_CASE("C: arrays of wrong sizes, names and numbers") {
  Rig r;
  float values[16] = {};
  chainrule_network* const network = r.network.get();
  CHECK(refusal(chainrule_network_get_parameter(network, "0.weight", values, 16)) ==
        "ARGUMENT: 0.weight takes 48 bytes, 12 numbers of type float32, got 16");
  CHECK(refusal(chainrule_network_get_parameter(network, "0.wight", values, 48))
            .find("did you mean '0.weight'") != std::string::npos);
  const std::vector<float> before = c_parameter(r.network, "0.weight");
  values[11] = std::nanf("");
  CHECK(refusal(chainrule_network_set_parameter(network, "0.weight", values, 48)).find("NaN") !=
        std::string::npos);
  CHECK(c_parameter(r.network, "0.weight") == before);
  chainrule_parameter_info info{};
  info.struct_size = sizeof info;
  CHECK(refusal(chainrule_network_get_parameter_info(network, 4, &info)) ==
        "ARGUMENT: index is 4; the network has 4 parameters");
  CHECK(refusal(chainrule_network_get_parameter_info(network, -1, &info)) ==
        "ARGUMENT: index is -1; the network has 4 parameters");
  CHECK(refusal(chainrule_network_predict(network, &r.rows, nullptr, values, 12)) ==
        "ARGUMENT: outputs takes 16 bytes, 4 numbers of type float32, got 12");

  float out[2] = {3.0f, 4.0f};
  chainrule_predictor* const predictor = r.predictor.get();
  CHECK(refusal(chainrule_predictor_predict(predictor, r.scratch.get(), values, 15, out, 8)) ==
        "ARGUMENT: in has 15 bytes, expected rows of 16, 4 numbers each");
  CHECK(refusal(chainrule_predictor_predict(predictor, r.scratch.get(), values, 0, out, 0)) ==
        "ARGUMENT: in has 0 bytes, expected rows of 16, 4 numbers each");
  CHECK(refusal(chainrule_predictor_predict(predictor, r.scratch.get(), values, 16, out, 4)) ==
        "ARGUMENT: out takes 8 bytes, 2 numbers of type float32, got 4");
  CHECK(refusal(chainrule_predictor_predict_strided(predictor, r.scratch.get(), values, 4, out, 2,
                                                    -1)) ==
        "ARGUMENT: rows is -1, expected 0 or more");
  const CPredictor other = c_predictor(r.network);
  CHECK(refusal(chainrule_predictor_predict(other.get(), r.scratch.get(), values, 16, out, 8)) ==
        "ARGUMENT: scratch belongs to another predictor");
  CHECK(out[0] == 3.0f);
  CHECK(out[1] == 4.0f);
  const CNetwork twice = c_network(CHAINRULE_FLOAT64);
  CHECK(refusal(chainrule_predictor_update(predictor, twice.get())) ==
        "ARGUMENT: the network is of another type than the predictor");
}

TEST_CASE("C: files that are none") {
  chainrule_network* network = untouched<chainrule_network>;
  CHECK(refusal(chainrule_network_load("nowhere/model.safetensors", &network)) ==
        "FILE: nowhere/model.safetensors: No such file or directory");
  const std::string content = golden("format_1.safetensors");
  CHECK(
      refusal(chainrule_network_read(content.data(), content.size() - 1, &network)).substr(0, 22) ==
      "MODEL_FILE: truncated:");
  CHECK(refusal(chainrule_network_read("", 0, &network)).substr(0, 11) == "MODEL_FILE:");
  CHECK(network == untouched<chainrule_network>);
  const CNetwork own = c_network();
  CHECK(refusal(chainrule_network_save(own.get(), "nowhere/model.safetensors")).substr(0, 5) ==
        "FILE:");
}

TEST_CASE("C: nothing may be used from within poll") {
  Rig r;
  // A long epoch of little data: each row begins one value after the one before.
  const std::vector<float> numbers((1 << 20) + 4);
  r.rows = c_rows(numbers, 4);
  r.rows.rows = 1 << 20;
  r.rows.row_stride = sizeof(float);
  r.values = c_rows(numbers, 2);
  r.values.rows = 1 << 20;
  r.values.row_stride = sizeof(float);
  struct Context {
    Rig* rig;
    std::string parameter, predict, update;
  } context{&r, "", "", ""};
  chainrule_fit_options o{};
  o.struct_size = sizeof o;
  o.batch_size = 1;
  o.keep_order = 1;
  o.context = &context;
  o.poll = [](void* given, std::int64_t batches, double) {
    auto& c = *static_cast<Context*>(given);
    float values[12];
    CHECK(batches > 0);
    chainrule_network* const network = c.rig->network.get();
    c.parameter =
        refusal(chainrule_network_get_parameter(network, "0.weight", values, sizeof values));
    c.predict = refusal(
        chainrule_trainer_step(c.rig->trainer.get(), &c.rig->rows, &c.rig->targets, nullptr));
    c.update = refusal(chainrule_predictor_update(c.rig->predictor.get(), network));
    return 1;
  };
  chainrule_epoch_report last{};
  last.struct_size = sizeof last;
  CHECK(chainrule_trainer_fit(r.trainer.get(), &r.rows, &r.targets, &o, &last) == CHAINRULE_OK);
  CHECK(last.epoch == 0);
  CHECK(std::isnan(last.loss));
  CHECK(context.parameter.find("STATE: the network is in use") == 0);
  CHECK(context.predict.find("STATE: the trainer is in use") == 0);
  CHECK(context.update.find("STATE: the network is in use") == 0);
}

TEST_CASE("C: a trainer cannot be destroyed by its own callback") {
  Rig r;
  struct Context {
    chainrule_trainer* trainer;
    std::string answer;
  } context{r.trainer.get(), ""};
  chainrule_fit_options o{};
  o.struct_size = sizeof o;
  o.epochs = 2;
  o.context = &context;
  o.on_epoch = [](void* given, const chainrule_epoch_report*) {
    auto& c = *static_cast<Context*>(given);
    c.answer = refusal(chainrule_trainer_destroy(c.trainer));
    return 0;
  };
  chainrule_epoch_report last{};
  last.struct_size = sizeof last;
  CHECK(chainrule_trainer_fit(r.trainer.get(), &r.rows, &r.targets, &o, &last) == CHAINRULE_OK);
  CHECK(context.answer == "STATE: the trainer is in use by another thread or callback");
  CHECK(last.epoch == 2);
  CHECK(chainrule_trainer_destroy(nullptr) == CHAINRULE_OK);
}

TEST_CASE("C: a network destroyed by a callback of its trainer is trained to the end") {
  Rig r;
  struct Context {
    CNetwork* network;
    chainrule_status status;
  } context{&r.network, CHAINRULE_ERROR_STATE};
  chainrule_fit_options o{};
  o.struct_size = sizeof o;
  o.epochs = 3;
  o.context = &context;
  o.on_epoch = [](void* given, const chainrule_epoch_report* report) {
    auto& c = *static_cast<Context*>(given);
    if (report->epoch == 1) c.status = chainrule_network_destroy(c.network->release());
    return 0;
  };
  chainrule_epoch_report last{};
  last.struct_size = sizeof last;
  CHECK(chainrule_trainer_fit(r.trainer.get(), &r.rows, &r.targets, &o, &last) == CHAINRULE_OK);
  CHECK(context.status == CHAINRULE_OK);
  CHECK(last.epoch == 3);
}

TEST_CASE("C: interpolate moves a network towards another of its layers and type") {
  const CNetwork target = c_network(), source = c_network();
  std::vector<float> weights = c_parameter(target, "0.weight");
  const std::vector<float> before = weights;
  for (float& w : weights) w += 1.0f;
  REQUIRE(chainrule_network_set_parameter(source.get(), "0.weight", weights.data(),
                                          weights.size() * sizeof(float)) == CHAINRULE_OK);
  CHECK(chainrule_network_interpolate(target.get(), source.get(), 0.25) == CHAINRULE_OK);
  const std::vector<float> after = c_parameter(target, "0.weight");
  for (size_t i = 0; i < after.size(); ++i)
    CHECK(after[i] == before[i] + 0.25f * (weights[i] - before[i]));
  CHECK(refusal(chainrule_network_interpolate(target.get(), source.get(), 2.0)) ==
        "ARGUMENT: tau must lie in 0..1, got 2.000000");
  CHECK(refusal(chainrule_network_interpolate(target.get(), nullptr, 0.5)) ==
        "ARGUMENT: network is NULL");
}
