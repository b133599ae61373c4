// SPDX-License-Identifier: Apache-2.0
// A fuzz target: whatever the text, what the C interface takes descriptions from is a network or a
// trainer of a few arrays, or an error that says so, in little memory. What was taken is given back
// as text that stands for the same.
//
// The first byte says what the text describes: layers, or a trainer's loss, optimizer and
// schedule, a line each.
//
//     cmake --preset fuzz && cmake --build --preset fuzz
//     mkdir -p build/fuzz/descriptions
//     build/fuzz/cpp/fuzz/fuzz_descriptions -max_len=2048 -timeout=10 -rss_limit_mb=2048
//         -malloc_limit_mb=64 -dict=cpp/fuzz/descriptions.dict build/fuzz/descriptions
//         cpp/fuzz/descriptions
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chainrule/chainrule.h"
#include "chainrule/config.hpp"
#include "chainrule/layer.hpp"
#include "peak_memory.hpp"

namespace {

using chainrule::fuzz::peak_memory;
using chainrule::fuzz::require;

constexpr std::int64_t inputs = 3;
constexpr std::size_t allowance = 1'000'000;

/// Whether a call succeeded; it may refuse what it was given, and nothing else.
bool succeeded(chainrule_status status) {
  if (status == CHAINRULE_OK) return true;
  require(status == CHAINRULE_ERROR_ARGUMENT, chainrule_last_error());
  require(chainrule_last_error()[0] != '\0', "an error without a text");
  return false;
}

/// The numbers that layers need, as far as they can be counted before they are made: a caller
/// may ask for a network that is as large as memory.
bool is_small(const std::string& text) {
  constexpr double largest = 4096.0;
  try {
    double numbers = 0.0;
    chainrule::Shape shape = inputs;
    for (const chainrule::Config& config : chainrule::configs_from_json(text)) {
      const chainrule::AnyLayer layer = chainrule::Layer::from_config(config);
      for (const chainrule::ParameterSpec& spec : layer->parameters({shape}))
        numbers += static_cast<double>(spec.shape.size());
      shape = layer->output_shape({shape});
      numbers += static_cast<double>(shape.size());
      if (numbers > largest) return false;
    }
  } catch (const chainrule::Error&) {
    // The network refuses it too, and takes no memory for what came before.
  }
  return true;
}

chainrule_network* create(const char* layers) {
  chainrule_network* network = nullptr;
  return succeeded(chainrule_network_create(layers, inputs, nullptr, &network)) ? network : nullptr;
}

void predict(const chainrule_network* network) {
  chainrule_network_info info{};
  info.struct_size = sizeof info;
  require(chainrule_network_get_info(network, &info) == CHAINRULE_OK, "no info");
  const std::array<float, 2 * inputs> x{0.0f, 1.0f, 2.0f, 0.5f, -1.0f, 1e30f};
  std::vector<float> y(2 * static_cast<std::size_t>(info.outputs));
  chainrule_rows rows{};
  rows.struct_size = sizeof rows;
  rows.data = x.data();
  rows.type = CHAINRULE_FLOAT32;
  rows.rows = 2;
  rows.columns = inputs;
  chainrule_predict_options options{};
  options.struct_size = sizeof options;
  options.num_threads = 1;
  // Columns of categories refuse these numbers.
  succeeded(
      chainrule_network_predict(network, &rows, &options, y.data(), y.size() * sizeof(float)));
}

void test_layers(const std::string& text) {
  if (!is_small(text)) return;
  chainrule_network* network = nullptr;
  const std::size_t memory = peak_memory([&] { network = create(text.c_str()); });
  require(memory <= 64 * text.size() + allowance, "too much memory for layers");
  if (!network) return;
  const char* layers = nullptr;
  require(chainrule_network_get_layers(network, &layers) == CHAINRULE_OK, "no layers");
  chainrule_network* again = create(layers);
  require(again != nullptr, "layers that were given are refused");
  const char* repeated = nullptr;
  require(chainrule_network_get_layers(again, &repeated) == CHAINRULE_OK, "no layers");
  require(std::string_view(layers) == repeated, "layers come back as others");
  predict(network);
  chainrule_network_destroy(network);
  chainrule_network_destroy(again);
}

void test_training(const std::string& text) {
  static chainrule_network* const network = create(R"([{"kind": "dense", "units": 2}])");
  std::array<std::string, 3> lines;
  std::size_t line = 0;
  for (const char c : text) {
    if (c == '\n' && line + 1 < lines.size()) {
      ++line;
    } else {
      lines[line] += c;
    }
  }
  chainrule_trainer_options options{};
  options.struct_size = sizeof options;
  options.loss = lines[0].c_str();
  options.optimizer = lines[1].c_str();
  options.schedule = lines[2].empty() ? nullptr : lines[2].c_str();
  chainrule_trainer* trainer = nullptr;
  const std::size_t memory = peak_memory([&] {
    if (!succeeded(chainrule_trainer_create(network, &options, &trainer))) trainer = nullptr;
  });
  require(memory <= 64 * text.size() + allowance, "too much memory for a trainer");
  if (!trainer) return;
  const std::array<float, inputs> x{0.0f, 1.0f, 2.0f};
  const std::array<float, 2> wanted{0.0f, 1.0f};
  chainrule_rows rows{};
  rows.struct_size = sizeof rows;
  rows.data = x.data();
  rows.type = CHAINRULE_FLOAT32;
  rows.rows = 1;
  rows.columns = inputs;
  chainrule_rows values = rows;
  values.data = wanted.data();
  values.columns = 2;
  chainrule_targets targets{};
  targets.struct_size = sizeof targets;
  targets.values = &values;
  targets.rows = 1;
  double loss = 0.0;
  // On a copy, so that each text meets the same weights.
  chainrule_network* copy = nullptr;
  require(chainrule_network_copy(network, &copy) == CHAINRULE_OK, "no copy");
  chainrule_trainer* stepping = nullptr;
  require(chainrule_trainer_create(copy, &options, &stepping) == CHAINRULE_OK,
          "a description that was taken is refused");
  const chainrule_status status = chainrule_trainer_step(stepping, &rows, &targets, &loss);
  require(status == CHAINRULE_OK || status == CHAINRULE_ERROR_ARGUMENT ||
              status == CHAINRULE_ERROR_DIVERGENCE,
          chainrule_last_error());
  chainrule_trainer_destroy(stepping);
  chainrule_trainer_destroy(trainer);
  chainrule_network_destroy(copy);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The interface takes text up to the first 0 byte.
  const std::string text = std::string(reinterpret_cast<const char*>(data) + 1, size - 1).c_str();
  if (data[0] % 2 == 1) {
    test_layers(text);
  } else {
    test_training(text);
  }
  return 0;
}
