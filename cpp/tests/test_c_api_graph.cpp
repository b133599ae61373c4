// SPDX-License-Identifier: Apache-2.0
// Networks of the C interface that are graphs, against the same ones in C++.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/chainrule.h"
#include "chainrule/graph.hpp"
#include "chainrule/graph_config.hpp"
#include "chainrule/network.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;

constexpr const char* kGraph = CHAINRULE_JSON(
    {"nodes": [{"name": "a", "shape": [4]},
               {"name": "b", "shape": [3]},
               {"name": "h", "layer": {"kind": "dense", "units": 5, "activation": "tanh"}, "inputs": ["a"]},
               {"name": "g", "layer": {"kind": "dense", "units": 5}, "inputs": ["b"]},
               {"name": "sum", "layer": "add", "inputs": ["h", "g"]},
               {"name": "again", "shares": "g", "inputs": ["b"]},
               {"name": "y", "layer": {"kind": "dense", "units": 2}, "inputs": ["sum"]}],
     "outputs": ["y", "again"]});

chainrule_network* create(const char* layers, std::int64_t inputs) {
  chainrule_network* network = nullptr;
  chainrule_network_options options{};
  options.struct_size = sizeof options;
  options.seed = 5;
  return chainrule_network_create(layers, inputs, &options, &network) == CHAINRULE_OK ? network
                                                                                      : nullptr;
}

}  // namespace

TEST_CASE("C makes graphs from JSON, whose rows have the columns of all inputs side by side") {
  chainrule_network* network = create(kGraph, 7);
  REQUIRE(network != nullptr);
  Network<float> same(Graph::from_config(graph_config_from_json(kGraph)), 5);
  const testing::DataSet data(6, 7, 2);
  const std::vector<float> x(data.x.begin(), data.x.end());
  RowsView a = view(x, 7), b = a;
  a.columns = 4;
  b.columns = 3;
  b.data = x.data() + 4;
  const std::vector<float> expected = same.predict(std::vector<RowsView>{a, b});
  std::vector<float> outputs(expected.size());
  chainrule_rows rows{};
  rows.struct_size = sizeof rows;
  rows.data = x.data();
  rows.type = CHAINRULE_FLOAT32;
  rows.rows = 6;
  rows.columns = 7;
  CHECK(chainrule_network_predict(network, &rows, nullptr, outputs.data(),
                                  outputs.size() * sizeof(float)) == CHAINRULE_OK);
  CHECK(outputs == expected);
  chainrule_network_info info{};
  info.struct_size = sizeof info;
  CHECK(chainrule_network_get_info(network, &info) == CHAINRULE_OK);
  CHECK(info.inputs == 7);
  CHECK(info.outputs == 7);
  CHECK(info.layers == 5);
  const char* text = nullptr;
  CHECK(chainrule_network_get_layers(network, &text) == CHAINRULE_OK);
  CHECK(same_structure(Graph::from_config(graph_config_from_json(text)), same.graph()));
  rows.columns = 6;
  CHECK(chainrule_network_predict(network, &rows, nullptr, outputs.data(),
                                  outputs.size() * sizeof(float)) == CHAINRULE_ERROR_ARGUMENT);
  CHECK(std::string(chainrule_last_error()) == "x has 6 columns; the network expects 7");
  chainrule_network_destroy(network);
}

TEST_CASE("C refuses graphs that are none, and says why") {
  CHECK(create(kGraph, 8) == nullptr);
  CHECK(std::string(chainrule_last_error()) == "inputs is 8; the graph reads rows of 7 values");
  CHECK(create(CHAINRULE_JSON({"nodes": [{"name": "x", "shape": [4]}], "outputs": []}), 0) == nullptr);
  CHECK(std::string(chainrule_last_error()) == "a network needs at least one layer");
  CHECK(create(CHAINRULE_JSON({"outputs": []}), 0) == nullptr);
  CHECK(create(CHAINRULE_JSON({"nodes": 3, "outputs": []}), 0) == nullptr);
  CHECK(create(CHAINRULE_JSON({"nodes": [{"name": "x", "shape": [-4]}], "outputs": []}), 0) == nullptr);
  CHECK(create("[]", 4) == nullptr);
}
