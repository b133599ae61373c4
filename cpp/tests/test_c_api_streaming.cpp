// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "c_handles.hpp"

using namespace chainrule::testing;

namespace {

/// (6, 2) -> (6, 3)
CNetwork sequence_network(chainrule_type type = 0, const char* padding = "causal") {
  const std::string graph =
      R"({"nodes": [{"name": "x", "shape": [6, 2]},
                    {"name": "c", "inputs": ["x"], "layer": {"kind": "conv1d", "filters": 4,
                     "kernel_size": [2], "padding": ")" +
      std::string(padding) + R"("}},
                    {"name": "h", "inputs": ["c"], "layer": {"kind": "lstm", "units": 3,
                     "return_sequences": true}}], "outputs": ["h"]})";
  chainrule_network_options options{};
  options.struct_size = sizeof options;
  options.type = type;
  chainrule_network* made = nullptr;
  REQUIRE(refusal(chainrule_network_create(graph.c_str(), 12, &options, &made)) == "none");
  return CNetwork(made);
}

CStreamingPredictor streaming(const CNetwork& network) {
  chainrule_streaming_predictor* made = nullptr;
  REQUIRE(refusal(chainrule_streaming_predictor_create(network.get(), nullptr, &made)) == "none");
  return CStreamingPredictor(made);
}

CStreamState state_of(const CStreamingPredictor& predictor) {
  chainrule_stream_state* made = nullptr;
  REQUIRE(refusal(chainrule_stream_state_create(predictor.get(), &made)) == "none");
  return CStreamState(made);
}

const std::vector<float> kFrames{0.5f, -1.0f, 0.25f, 2.0f, -0.5f, 0.0f,
                                 1.0f, 1.5f,  -2.0f, 0.1f, 0.75f, -0.25f};

std::vector<float> predicted(const CNetwork& network) {
  std::vector<float> y(18);
  const chainrule_rows rows = c_rows(kFrames, 12);
  REQUIRE(refusal(chainrule_network_predict(network.get(), &rows, nullptr, y.data(), 72)) ==
          "none");
  return y;
}

}  // namespace

TEST_CASE("C: frames one by one have the bits of the sequence") {
  const CNetwork network = sequence_network();
  const CStreamingPredictor predictor = streaming(network);
  const CStreamState state = state_of(predictor), twin = state_of(predictor);
  const std::vector<float> expected = predicted(network);
  std::vector<float> y(18);
  const auto step = [&](const CStreamState& s, std::size_t frame, std::size_t count) {
    return refusal(chainrule_streaming_predictor_step(predictor.get(), s.get(),
                                                      kFrames.data() + 2 * frame, 8 * count,
                                                      y.data() + 3 * frame, 12 * count));
  };
  for (std::size_t frame = 0; frame < 6; ++frame) {
    if (frame == 4)
      REQUIRE(chainrule_stream_state_copy_from(twin.get(), state.get()) == CHAINRULE_OK);
    CHECK(step(state, frame, 1) == "none");
  }
  CHECK(y == expected);
  y.assign(18, 0.0f);
  CHECK(step(twin, 4, 2) == "none");
  for (std::size_t i = 12; i < 18; ++i) CHECK(y[i] == expected[i]);
  CHECK(chainrule_stream_state_reset(twin.get()) == CHAINRULE_OK);
  CHECK(step(twin, 0, 6) == "none");
  CHECK(y == expected);

  const std::vector<float> bias(12, 0.5f);
  REQUIRE(chainrule_network_set_parameter(network.get(), "h.bias", bias.data(), 48) ==
          CHAINRULE_OK);
  REQUIRE(refusal(chainrule_streaming_predictor_update(predictor.get(), network.get())) == "none");
  CHECK(chainrule_stream_state_reset(twin.get()) == CHAINRULE_OK);
  CHECK(step(twin, 0, 6) == "none");
  CHECK(y != expected);
  CHECK(y == predicted(network));
}

TEST_CASE("C: what is no frame, state or network of a streaming predictor is refused") {
  const CNetwork network = sequence_network(), wide = sequence_network(CHAINRULE_FLOAT64);
  const CStreamingPredictor predictor = streaming(network), other = streaming(wide);
  const CStreamState state = state_of(predictor), foreign = state_of(other);
  std::vector<float> y(18, 9.0f);
  const auto step = [&](chainrule_stream_state* s, const void* in, std::size_t in_size, void* out,
                        std::size_t out_size) {
    return refusal(
        chainrule_streaming_predictor_step(predictor.get(), s, in, in_size, out, out_size));
  };
  const void* x = kFrames.data();
  CHECK(step(nullptr, x, 8, y.data(), 12) == "ARGUMENT: stream_state is NULL");
  CHECK(step(state.get(), nullptr, 8, y.data(), 12) == "ARGUMENT: frames is NULL");
  CHECK(step(state.get(), x, 8, nullptr, 12) == "ARGUMENT: out is NULL");
  CHECK(step(state.get(), x, 12, y.data(), 12) ==
        "ARGUMENT: frames has 12 bytes, expected frames of 8, 2 numbers each");
  CHECK(step(state.get(), x, 0, y.data(), 0) ==
        "ARGUMENT: frames has 0 bytes, expected frames of 8, 2 numbers each");
  CHECK(step(state.get(), x, 16, y.data(), 12) ==
        "ARGUMENT: out takes 24 bytes, 6 numbers of type float32, got 12");
  CHECK(step(foreign.get(), x, 8, y.data(), 12) == "ARGUMENT: state belongs to another predictor");
  CHECK(refusal(chainrule_stream_state_copy_from(state.get(), foreign.get())) ==
        "ARGUMENT: state belongs to another predictor");
  CHECK(refusal(chainrule_streaming_predictor_update(predictor.get(), wide.get())) ==
        "ARGUMENT: the network is of another type than the predictor");
  CHECK(y == std::vector<float>(18, 9.0f));
  CHECK(step(state.get(), x, 48, y.data(), 72) == "none");
  CHECK(y == predicted(network));

  auto* made = untouched<chainrule_streaming_predictor>;
  const CNetwork around = sequence_network(0, "same");
  CHECK(refusal(chainrule_streaming_predictor_create(around.get(), nullptr, &made)) ==
        "ARGUMENT: a StreamingPredictor goes from frame to frame, which node 'c' (conv1d) cannot: "
        "its padding must be 'causal', so that it reads no frames to come");
  CHECK(made == untouched<chainrule_streaming_predictor>);
  CHECK(chainrule_streaming_predictor_destroy(nullptr) == CHAINRULE_OK);
  CHECK(chainrule_stream_state_destroy(nullptr) == CHAINRULE_OK);
}
