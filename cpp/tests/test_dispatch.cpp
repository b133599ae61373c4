// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/network.hpp"
#include "kernels/dispatch.hpp"

using namespace chainrule::kernels;

TEST_CASE("each usable instruction set's table carries its name") {
  const std::vector<std::string> names = available();
  REQUIRE_FALSE(names.empty());
  CHECK(names.back() == "portable");
  CHECK(names == chainrule::instruction_sets());
  for (const std::string& name : names) {
    CHECK(named<float>(name).name == name);
    CHECK(named<double>(name).name == name);
    CHECK(named<float>(name).panel % kRowAlignment<float> == 0);
    CHECK(named<double>(name).panel % kRowAlignment<double> == 0);
  }
}

TEST_CASE("the environment chooses, else the best") {
  const char* wish = std::getenv("CHAINRULE_ISA");
  CHECK(active_name() == (wish && *wish ? wish : available().front()));
  CHECK(active<float>().name == active_name());
  CHECK(active<double>().name == active_name());
  CHECK(chainrule::instruction_set() == active_name());
}

TEST_CASE_TEMPLATE("predictions get the same kernels, and none of training", T, float, double) {
  CHECK(active_inference<T>().name == active_name());
  const bool same_forward = active_inference<T>().forward_row == active<T>().forward_row;
  CHECK(same_forward);
  const bool trains_by_inference = active_inference<T>().weight_gradient;
  CHECK_FALSE(trains_by_inference);
  for (const std::string& name : available()) {
    const bool trains = named<T>(name).weight_gradient;
    CHECK(trains);
  }
}

TEST_CASE("an unknown instruction set is refused by name") {
  CHECK_THROWS_WITH_AS(named<float>("avx513"), doctest::Contains("instruction set 'avx513'"),
                       chainrule::Error);
  CHECK_THROWS_WITH_AS(named<float>(""), doctest::Contains("portable"), chainrule::Error);
}
