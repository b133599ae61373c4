// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "c_handles.hpp"

using namespace chainrule::testing;

namespace {

/// A predictor, or why there is none.
std::string make(const CNetwork& network, chainrule_weights weights,
                 const std::vector<float>& ranges, CPredictor& made) {
  chainrule_predictor_options options{};
  options.struct_size = sizeof options;
  options.weights = weights;
  options.ranges = ranges.data();
  options.ranges_count = static_cast<std::int64_t>(ranges.size());
  chainrule_predictor* predictor = nullptr;
  std::string why = refusal(chainrule_predictor_create(network.get(), &options, &predictor));
  made = CPredictor(predictor);
  return why;
}

}  // namespace

TEST_CASE("C: predictions by small weights are near those of the network") {
  const CNetwork network = c_network();
  const std::vector<float> x{0.0f, 0.25f, 1.0f, 0.5f, 1.0f, 0.75f, 0.0f, 0.125f};
  const chainrule_rows rows = c_rows(x, 4);
  std::array<float, 4> expected{};
  REQUIRE(chainrule_network_predict(network.get(), &rows, nullptr, expected.data(), 16) ==
          CHAINRULE_OK);

  std::vector<float> ranges(10);
  std::int64_t count = 0;
  REQUIRE(refusal(chainrule_network_calibrate(network.get(), &rows, ranges.data(), 10, &count)) ==
          "none");
  REQUIRE(count % 2 == 0);
  ranges.resize(static_cast<std::size_t>(count));
  CHECK(ranges[0] == 0.0f);
  CHECK(ranges[1] == 1.0f);
  for (const chainrule_weights weights : {CHAINRULE_WEIGHTS_BFLOAT16, CHAINRULE_WEIGHTS_INT8}) {
    CPredictor predictor;
    REQUIRE(make(network, weights, ranges, predictor) == "none");
    const CScratch scratch = c_scratch(predictor);
    std::array<float, 4> outputs{};
    REQUIRE(chainrule_predictor_predict(predictor.get(), scratch.get(), x.data(), 32,
                                        outputs.data(), 16) == CHAINRULE_OK);
    CHECK(outputs != expected);
    for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(outputs[i] - expected[i]) < 0.05f);
  }
}

TEST_CASE("C: small weights that do not fit are refused") {
  const CNetwork network = c_network();
  const std::vector<float> x{0.0f, 0.25f, 1.0f, 0.5f};
  const chainrule_rows rows = c_rows(x, 4);
  float range = 7;
  std::int64_t count = 5;
  const auto calibrate = [&](const chainrule_rows* from, float* to, std::int64_t* size) {
    return refusal(chainrule_network_calibrate(network.get(), from, to, 1, size));
  };
  CHECK(calibrate(&rows, &range, &count).find("ranges has room for 1 numbers; there are ") !=
        std::string::npos);
  CHECK(calibrate(&rows, nullptr, &count) == "ARGUMENT: ranges is NULL");
  CHECK(calibrate(&rows, &range, nullptr) == "ARGUMENT: count is NULL");
  CHECK(calibrate(nullptr, &range, &count) == "ARGUMENT: x is NULL");
  CHECK(range == 7);
  CHECK(count == 5);

  CPredictor none;
  CHECK(make(network, 3, {}, none) ==
        "ARGUMENT: options.weights is 3, expected a CHAINRULE_WEIGHTS_...");
  CHECK(make(network, CHAINRULE_WEIGHTS_INT8, {0}, none) ==
        "ARGUMENT: options.ranges_count is 1, expected two for each dense layer");
  CHECK(make(network, CHAINRULE_WEIGHTS_INT8, {}, none).find("there are 0 ranges for ") !=
        std::string::npos);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<float>& bad :
       {std::vector<float>{1, 2, 0, 1}, {0, nan, 0, 1}, {-1, -0.5f, 0, 1}})
    CHECK(make(network, CHAINRULE_WEIGHTS_INT8, bad, none) != "none");
}
