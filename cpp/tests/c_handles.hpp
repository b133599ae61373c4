// SPDX-License-Identifier: Apache-2.0
// Handles of the C interface that destroy themselves, its structures over vectors, and what it says
// to errors.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "chainrule/chainrule.h"

namespace chainrule::testing {

struct CDestroy {
  void operator()(chainrule_network* handle) const { chainrule_network_destroy(handle); }
  void operator()(chainrule_trainer* handle) const { chainrule_trainer_destroy(handle); }
  void operator()(chainrule_full_batch_trainer* handle) const {
    chainrule_full_batch_trainer_destroy(handle);
  }
  void operator()(chainrule_predictor* handle) const { chainrule_predictor_destroy(handle); }
  void operator()(chainrule_scratch* handle) const { chainrule_scratch_destroy(handle); }
  void operator()(chainrule_streaming_predictor* handle) const {
    chainrule_streaming_predictor_destroy(handle);
  }
  void operator()(chainrule_stream_state* handle) const { chainrule_stream_state_destroy(handle); }
};

using CNetwork = std::unique_ptr<chainrule_network, CDestroy>;
using CTrainer = std::unique_ptr<chainrule_trainer, CDestroy>;
using CFullBatchTrainer = std::unique_ptr<chainrule_full_batch_trainer, CDestroy>;
using CPredictor = std::unique_ptr<chainrule_predictor, CDestroy>;
using CScratch = std::unique_ptr<chainrule_scratch, CDestroy>;
using CStreamingPredictor = std::unique_ptr<chainrule_streaming_predictor, CDestroy>;
using CStreamState = std::unique_ptr<chainrule_stream_state, CDestroy>;

/// Four inputs, three hidden units, two outputs.
inline CNetwork c_network(chainrule_type type = 0) {
  chainrule_network_options options{};
  options.struct_size = sizeof options;
  options.type = type;
  options.seed = 5;
  chainrule_network* made = nullptr;
  chainrule_network_create(
      R"([{"kind": "dense", "units": 3, "activation": "tanh"}, {"kind": "dense", "units": 2}])", 4,
      &options, &made);
  return CNetwork(made);
}

inline CTrainer c_trainer(const CNetwork& network, const char* optimizer = "adam",
                          const char* loss = "mse") {
  chainrule_trainer_options options{};
  options.struct_size = sizeof options;
  options.loss = loss;
  options.optimizer = optimizer;
  chainrule_trainer* made = nullptr;
  chainrule_trainer_create(network.get(), &options, &made);
  return CTrainer(made);
}

inline CPredictor c_predictor(const CNetwork& network) {
  chainrule_predictor* made = nullptr;
  chainrule_predictor_create(network.get(), nullptr, &made);
  return CPredictor(made);
}

inline CScratch c_scratch(const CPredictor& predictor) {
  chainrule_scratch* made = nullptr;
  chainrule_scratch_create(predictor.get(), 1, &made);
  return CScratch(made);
}

template <class T>
chainrule_rows c_rows(const std::vector<T>& values, std::int64_t columns) {
  chainrule_rows rows{};
  rows.struct_size = sizeof rows;
  rows.data = values.data();
  rows.type = sizeof(T) == 8   ? CHAINRULE_FLOAT64
              : sizeof(T) == 4 ? CHAINRULE_FLOAT32
                               : CHAINRULE_UINT8;
  rows.rows = static_cast<std::int64_t>(values.size()) / columns;
  rows.columns = columns;
  return rows;
}

inline chainrule_targets c_labels(const std::vector<std::int64_t>& classes) {
  chainrule_targets y{};
  y.struct_size = sizeof y;
  y.labels = classes.data();
  y.rows = static_cast<std::int64_t>(classes.size());
  return y;
}

inline chainrule_targets c_targets(const chainrule_rows* values) {
  chainrule_targets y{};
  y.struct_size = sizeof y;
  y.values = values;
  return y;
}

/// A parameter of `c_network`; its 0.weight unless told.
inline std::vector<float> c_parameter(const CNetwork& network, const char* name,
                                      std::size_t count = 12) {
  std::vector<float> values(count);
  chainrule_network_get_parameter(network.get(), name, values.data(), count * sizeof(float));
  return values;
}

/// "CHAINRULE_ERROR_...: text" of a call that fails.
inline std::string refusal(chainrule_status status) {
  if (status == CHAINRULE_OK) return "none";
  return std::string(chainrule_status_name(status)).substr(sizeof "CHAINRULE_ERROR_" - 1) + ": " +
         chainrule_last_error();
}

/// A call's output that must stay as it is.
template <class H>
inline H* const untouched = reinterpret_cast<H*>(0x10);

struct Rig {
  CNetwork network = c_network();
  CTrainer trainer = c_trainer(network);
  CPredictor predictor = c_predictor(network);
  CScratch scratch = c_scratch(predictor);
  std::vector<float> x = std::vector<float>(8, 0.5f), y = std::vector<float>(4, 0.25f);
  chainrule_rows rows = c_rows(x, 4);
  chainrule_rows values = c_rows(y, 2);
  chainrule_targets targets = c_targets(&values);

  std::string fit(const chainrule_fit_options* options = nullptr) {
    const std::vector<float> before = c_parameter(network, "0.weight");
    const chainrule_status status =
        chainrule_trainer_fit(trainer.get(), &rows, &targets, options, nullptr);
    if (status != CHAINRULE_OK) CHECK(c_parameter(network, "0.weight") == before);
    return refusal(status);
  }
};

}  // namespace chainrule::testing
