// SPDX-License-Identifier: Apache-2.0
// The names of features and classes, which a network and its files keep and no number depends on.
#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "c_handles.hpp"
#include "chainrule/error.hpp"
#include "chainrule/graph.hpp"
#include "chainrule/graph_config.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/model_file.hpp"
#include "golden.hpp"

using namespace chainrule;
using namespace chainrule::testing;

namespace {

using Names = std::vector<std::string>;

const Names features{"width", "height (cm)", "\xe7\x8c\xab", ""};
const Names classes{"cat", "dog", "owl"};

/// Two inputs of four and three columns, an output of three columns and one of one column at each
/// of two positions.
Network<double> of_several() {
  return Network<double>(Graph::from_config(graph_config_from_json(CHAINRULE_JSON(
      {"nodes": [{"name": "a", "shape": [4]},
                 {"name": "b", "shape": [3]},
                 {"name": "both", "layer": "concatenate", "inputs": ["a", "b"]},
                 {"name": "pet", "layer": {"kind": "dense", "units": 3}, "inputs": ["both"]},
                 {"name": "two", "layer": {"kind": "dense", "units": 2}, "inputs": ["both"]},
                 {"name": "size", "layer": {"kind": "reshape", "target_shape": [2, 1]}, "inputs": ["two"]}],
       "outputs": ["pet", "size"]}))));
}

const Names others{"u", "v", "w"};

Network<float> unnamed() { return {{Dense(3)}, 4, 1}; }

Network<float> named() {
  Network<float> network = unnamed();
  network.set_feature_names(features);
  network.set_class_names(classes);
  return network;
}

}  // namespace

TEST_CASE("a network has no names until they are set, and its copies have them") {
  Network<float> network = unnamed();
  CHECK(network.feature_names().empty());
  CHECK(network.class_names().empty());
  network.set_feature_names(features);
  network.set_class_names(classes);
  const Network<float> copy(network);
  network.set_feature_names({});
  CHECK(network.feature_names().empty());
  CHECK(copy.feature_names() == features);
  CHECK(copy.class_names() == classes);
}

TEST_CASE("a single output tells two classes apart, more outputs one each") {
  Network<double> single({Dense(1)}, 2);
  CHECK(single.classes() == 2);
  single.set_class_names({"no", "yes"});
  CHECK_THROWS_WITH_AS(single.set_class_names({"yes"}), doctest::Contains("must have 2 names"),
                       Error);
  CHECK(single.class_names() == Names{"no", "yes"});
  CHECK(unnamed().classes() == 3);
}

TEST_CASE("names that do not fit are refused and leave the old ones") {
  Network<float> network = named();
  CHECK_THROWS_WITH_AS(network.set_feature_names({"a", "b", "c"}),
                       "feature_names must have 4 names, got 3", Error);
  CHECK_THROWS_WITH_AS(network.set_feature_names({"a", "b", "c", "a"}),
                       "feature_names must differ from each other, got 'a' twice", Error);
  CHECK_THROWS_WITH_AS(network.set_feature_names({"a", "b\xff", "c", "d"}),
                       "feature_names[1] must be UTF-8", Error);
  CHECK_THROWS_WITH_AS(network.set_class_names({"a", "b", std::string("c\0d", 3)}),
                       "class_names[2] must not hold a 0 byte", Error);
  CHECK(network.feature_names() == features);
  CHECK(network.class_names() == classes);
}

TEST_CASE("each input and each output has names of its own") {
  Network<double> network = of_several();
  CHECK(network.classes(0) == 3);
  CHECK(network.classes(1) == 2);  // at each of its positions
  network.set_feature_names(others, 1);
  network.set_class_names({"small", "tall"}, 1);
  CHECK(network.feature_names(0).empty());
  CHECK(network.feature_names(1) == others);
  CHECK(network.class_names(0).empty());
  const Network<double> copy(network);
  CHECK(copy.feature_names(1) == others);
  CHECK(copy.class_names(1) == Names{"small", "tall"});

  CHECK_THROWS_WITH_AS(network.set_feature_names(features, 1),
                       "feature_names['b'] must have 3 names, got 4", Error);
  CHECK_THROWS_WITH_AS(network.set_feature_names({"u", "v", "u"}, 1),
                       "feature_names['b'] must differ from each other, got 'u' twice", Error);
  CHECK_THROWS_WITH_AS(network.set_class_names({"a", "b\xff"}, 1),
                       "class_names['size'][1] must be UTF-8", Error);
  CHECK_THROWS_WITH_AS(network.set_feature_names(others, 2), "input is 2; the network has 2 inputs",
                       Error);
  CHECK_THROWS_WITH_AS(network.feature_names(-1), "input is -1; the network has 2 inputs", Error);
  CHECK_THROWS_WITH_AS(unnamed().class_names(1), "output is 1; the network has 1 output", Error);
  CHECK_THROWS_WITH_AS(network.classes(2), "output is 2; the network has 2 outputs", Error);
  CHECK(network.feature_names(1) == others);
  CHECK(network.class_names(1) == Names{"small", "tall"});
}

TEST_CASE("files keep the names of several inputs and outputs") {
  Network<double> network = of_several();
  CHECK(model_bytes(network).find("_names") == std::string::npos);
  network.set_feature_names(others, 1);
  network.set_class_names(classes, 0);
  const std::string content = model_bytes(network);
  CHECK(read_model_description(content).find(R"("input_feature_names": {"b": ["u", "v", "w"]})") !=
        std::string::npos);
  const Model<double> read = read_model<double>(content);
  CHECK(read.network.feature_names(0).empty());
  CHECK(read.network.feature_names(1) == others);
  CHECK(read.network.class_names(0) == classes);
  CHECK(read.network.class_names(1).empty());
  CHECK(model_bytes(read.network, read.training) == content);
  // They have been in the record of the training.
  TrainingState before;
  before.rest = R"({"input_feature_names": {}})";
  CHECK_THROWS_WITH_AS(model_bytes(network, before),
                       "rest must not hold 'input_feature_names', which has a field", Error);
}

TEST_CASE("categories have names, which files keep and C knows") {
  CategoryEncoding encoding({3, 2});
  encoding.columns = {1, 2};
  encoding.unknown = Unseen::zero;
  Network<float> network({encoding, Dense(2)}, 3);
  CHECK(network.category_names().empty());
  const std::vector<Names> towns{{}, {"Oslo", "Bonn", "\xe7\x8c\xab"}, {}};
  network.set_category_names(towns);
  CHECK(network.category_code(1, "Bonn") == 1);
  CHECK(network.category_code(1, "Oslo") == 0);
  CHECK(network.category_code(1, "Rome") == -1);
  CHECK_THROWS_WITH_AS((void)network.category_code(2, "Bonn"),
                       "column 2 of x has no category names", Error);
  CHECK_THROWS_WITH_AS(network.set_category_names({{}, {"a", "b"}, {}}),
                       "category_names[1] must have 3 names, got 2", Error);
  CHECK_THROWS_WITH_AS(network.set_category_names({{"a"}, {}, {}}), doctest::Contains("no layer"),
                       Error);
  CHECK_THROWS_WITH_AS(network.set_category_names({{}}), doctest::Contains("each of 3 columns"),
                       Error);
  const std::string bytes = model_bytes(network);
  const Model<float> read = read_model(bytes);
  CHECK(read.network.category_names() == towns);
  CHECK(read.network.category_code(1, towns[1][2]) == 2);

  chainrule_network* handle = nullptr;
  REQUIRE(chainrule_network_read(bytes.data(), bytes.size(), &handle) == CHAINRULE_OK);
  const CNetwork owner(handle);
  std::int64_t count = -1;
  std::int64_t code = -2;
  const char* name = nullptr;
  CHECK(chainrule_network_get_category_count(handle, 1, &count) == CHAINRULE_OK);
  CHECK(count == 3);
  CHECK(chainrule_network_get_category_count(handle, 0, &count) == CHAINRULE_OK);
  CHECK(count == 0);
  CHECK(chainrule_network_get_category_name(handle, 1, 1, &name) == CHAINRULE_OK);
  CHECK(std::string(name) == "Bonn");
  CHECK(chainrule_network_get_category_name(handle, 1, 3, &name) != CHAINRULE_OK);
  CHECK(chainrule_network_get_category_code(handle, 1, "Rome", &code) == CHAINRULE_OK);
  CHECK(code == -1);
  const std::array<const char*, 2> signs{"no", "yes"};
  CHECK(chainrule_network_set_category_names(handle, 2, signs.data(), 2) == CHAINRULE_OK);
  CHECK(chainrule_network_get_category_code(handle, 2, "yes", &code) == CHAINRULE_OK);
  CHECK(code == 1);
  CHECK(chainrule_network_get_category_code(handle, 1, "Bonn", &code) == CHAINRULE_OK);
  CHECK(code == 1);
  CHECK(chainrule_network_set_category_names(handle, 3, signs.data(), 2) != CHAINRULE_OK);
  CHECK(std::string(chainrule_last_error()) == "column is 3; the network has 3 columns");
}

TEST_CASE("files keep the names, and a network without any is written as before") {
  const Model<float> read = read_model(model_bytes(named()));
  CHECK(read.network.feature_names() == features);
  CHECK(read.network.class_names() == classes);
  CHECK(model_bytes(unnamed()).find("_names") == std::string::npos);
  // A reader of format 1 ignores the names.
  CHECK(read_model_description(model_bytes(named())).find("\"format_version\": 1,") !=
        std::string::npos);
}

TEST_CASE("the checksum of a file covers the names") {
  std::string content = model_bytes(named());
  content.replace(content.find("cat"), 3, "cow");
  CHECK_THROWS_WITH_AS(read_model(content), doctest::Contains("checksum"), ModelFileError);
}

TEST_CASE("C: names go in, out and through files") {
  const CNetwork network = c_network();
  const char* name = "untouched";
  REQUIRE(chainrule_network_get_feature_name(network.get(), 0, 3, &name) == CHAINRULE_OK);
  CHECK(name == nullptr);
  const std::array<const char*, 4> given{"a", "b", "\xe7\x8c\xab", ""};
  REQUIRE(chainrule_network_set_feature_names(network.get(), 0, given.data(), 4) == CHAINRULE_OK);
  const std::array<const char*, 2> pets{"cat", "dog"};
  REQUIRE(chainrule_network_set_class_names(network.get(), 0, pets.data(), 2) == CHAINRULE_OK);
  const TemporaryFile file;
  REQUIRE(chainrule_network_save(network.get(), file.path.c_str()) == CHAINRULE_OK);
  chainrule_network* loaded = nullptr;
  REQUIRE(chainrule_network_load(file.path.c_str(), &loaded) == CHAINRULE_OK);
  const CNetwork again(loaded);
  for (int64_t i = 0; i < 4; ++i) {
    REQUIRE(chainrule_network_get_feature_name(again.get(), 0, i, &name) == CHAINRULE_OK);
    CHECK(std::string(name) == given[static_cast<std::size_t>(i)]);
  }
  REQUIRE(chainrule_network_get_class_name(again.get(), 0, 1, &name) == CHAINRULE_OK);
  CHECK(std::string(name) == "dog");
  REQUIRE(chainrule_network_set_class_names(again.get(), 0, nullptr, 0) == CHAINRULE_OK);
  REQUIRE(chainrule_network_get_class_name(again.get(), 0, 1, &name) == CHAINRULE_OK);
  CHECK(name == nullptr);
}

TEST_CASE("C: names of several inputs and outputs") {
  const TemporaryFile file;
  Network<double> network = of_several();
  network.set_class_names(classes, 0);
  save_model(file.path, network);
  chainrule_network* loaded = nullptr;
  REQUIRE(chainrule_network_load(file.path.c_str(), &loaded) == CHAINRULE_OK);
  const CNetwork of_c(loaded);
  chainrule_network_info info{};
  info.struct_size = sizeof info;
  REQUIRE(chainrule_network_get_info(of_c.get(), &info) == CHAINRULE_OK);
  CHECK(info.input_nodes == 2);
  CHECK(info.output_nodes == 2);
  const char* name = nullptr;
  REQUIRE(chainrule_network_get_class_name(of_c.get(), 0, 2, &name) == CHAINRULE_OK);
  CHECK(std::string(name) == "owl");
  REQUIRE(chainrule_network_get_class_name(of_c.get(), 1, 1, &name) == CHAINRULE_OK);
  CHECK(name == nullptr);
  const std::array<const char*, 3> given{"u", "v", "w"};
  CHECK(refusal(chainrule_network_set_feature_names(of_c.get(), 0, given.data(), 3)) ==
        "ARGUMENT: feature_names['a'] must have 4 names, got 3");
  CHECK(refusal(chainrule_network_set_feature_names(of_c.get(), 2, given.data(), 3)) ==
        "ARGUMENT: input is 2; the network has 2 inputs");
  CHECK(refusal(chainrule_network_get_feature_name(of_c.get(), 1, 3, &name)) ==
        "ARGUMENT: index is 3; the network has 3 features");
  CHECK(refusal(chainrule_network_get_class_name(of_c.get(), -1, 0, &name)) ==
        "ARGUMENT: output is -1; the network has 2 outputs");
  REQUIRE(chainrule_network_set_feature_names(of_c.get(), 1, given.data(), 3) == CHAINRULE_OK);
  REQUIRE(chainrule_network_save(of_c.get(), file.path.c_str()) == CHAINRULE_OK);
  const Model<double> read = load_model<double>(file.path);
  CHECK(read.network.feature_names(1) == others);
  CHECK(read.network.class_names(0) == classes);
}

TEST_CASE("C: names that do not fit are errors that say so") {
  const CNetwork network = c_network();
  const char* name = "untouched";
  CHECK(chainrule_network_get_feature_name(network.get(), 0, 4, &name) == CHAINRULE_ERROR_ARGUMENT);
  CHECK(std::string(chainrule_last_error()) == "index is 4; the network has 4 features");
  CHECK(chainrule_network_get_class_name(network.get(), 0, -1, &name) == CHAINRULE_ERROR_ARGUMENT);
  CHECK(std::string(name) == "untouched");
  CHECK(chainrule_network_get_class_name(network.get(), 0, 0, nullptr) == CHAINRULE_ERROR_ARGUMENT);
  CHECK(chainrule_network_set_class_names(network.get(), 0, nullptr, 2) ==
        CHAINRULE_ERROR_ARGUMENT);
  const std::array<const char*, 2> holed{"cat", nullptr};
  CHECK(chainrule_network_set_class_names(network.get(), 0, holed.data(), 2) ==
        CHAINRULE_ERROR_ARGUMENT);
  CHECK(std::string(chainrule_last_error()).find("names[1]") != std::string::npos);
  CHECK(chainrule_network_set_class_names(network.get(), 0, holed.data(), -1) ==
        CHAINRULE_ERROR_ARGUMENT);
}
