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
    CHECK(named(name).f32.name == name);
    CHECK(named(name).f64.name == name);
    CHECK(named(name).f32.panel % kGranule<float> == 0);
    CHECK(named(name).f64.panel % kGranule<double> == 0);
  }
}

TEST_CASE("the environment chooses, else the best") {
  const char* wish = std::getenv("CHAINRULE_ISA");
  CHECK(active().f32.name == (wish && *wish ? wish : available().front()));
  CHECK(chainrule::instruction_set() == active().f32.name);
}

TEST_CASE("an unknown instruction set is refused by name") {
  CHECK_THROWS_WITH_AS(named("avx513"), doctest::Contains("instruction set 'avx513'"),
                       chainrule::Error);
  CHECK_THROWS_WITH_AS(named(""), doctest::Contains("portable"), chainrule::Error);
}
