// SPDX-License-Identifier: Apache-2.0
// The names of features and classes, which a network and its files keep and no number depends on.
#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "c_handles.hpp"
#include "chainrule/error.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/model_file.hpp"
#include "golden.hpp"

using namespace chainrule;
using namespace chainrule::testing;

namespace {

using Names = std::vector<std::string>;

const Names features{"width", "height (cm)", "\xe7\x8c\xab", ""};
const Names classes{"cat", "dog", "owl"};

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
  REQUIRE(chainrule_network_get_feature_name(network.get(), 3, &name) == CHAINRULE_OK);
  CHECK(name == nullptr);
  const std::array<const char*, 4> given{"a", "b", "\xe7\x8c\xab", ""};
  REQUIRE(chainrule_network_set_feature_names(network.get(), given.data(), 4) == CHAINRULE_OK);
  const std::array<const char*, 2> pets{"cat", "dog"};
  REQUIRE(chainrule_network_set_class_names(network.get(), pets.data(), 2) == CHAINRULE_OK);
  const TemporaryFile file;
  REQUIRE(chainrule_network_save(network.get(), file.path.c_str()) == CHAINRULE_OK);
  chainrule_network* loaded = nullptr;
  REQUIRE(chainrule_network_load(file.path.c_str(), &loaded) == CHAINRULE_OK);
  const CNetwork again(loaded);
  for (int64_t i = 0; i < 4; ++i) {
    REQUIRE(chainrule_network_get_feature_name(again.get(), i, &name) == CHAINRULE_OK);
    CHECK(std::string(name) == given[static_cast<std::size_t>(i)]);
  }
  REQUIRE(chainrule_network_get_class_name(again.get(), 1, &name) == CHAINRULE_OK);
  CHECK(std::string(name) == "dog");
  REQUIRE(chainrule_network_set_class_names(again.get(), nullptr, 0) == CHAINRULE_OK);
  REQUIRE(chainrule_network_get_class_name(again.get(), 1, &name) == CHAINRULE_OK);
  CHECK(name == nullptr);
}

TEST_CASE("C: names that do not fit are errors that say so") {
  const CNetwork network = c_network();
  const char* name = "untouched";
  CHECK(chainrule_network_get_feature_name(network.get(), 4, &name) == CHAINRULE_ERROR_ARGUMENT);
  CHECK(std::string(chainrule_last_error()) == "index is 4; the network has 4 features");
  CHECK(chainrule_network_get_class_name(network.get(), -1, &name) == CHAINRULE_ERROR_ARGUMENT);
  CHECK(std::string(name) == "untouched");
  CHECK(chainrule_network_get_class_name(network.get(), 0, nullptr) == CHAINRULE_ERROR_ARGUMENT);
  CHECK(chainrule_network_set_class_names(network.get(), nullptr, 2) == CHAINRULE_ERROR_ARGUMENT);
  const std::array<const char*, 2> holed{"cat", nullptr};
  CHECK(chainrule_network_set_class_names(network.get(), holed.data(), 2) ==
        CHAINRULE_ERROR_ARGUMENT);
  CHECK(std::string(chainrule_last_error()).find("names[1]") != std::string::npos);
  CHECK(chainrule_network_set_class_names(network.get(), holed.data(), -1) ==
        CHAINRULE_ERROR_ARGUMENT);
}
