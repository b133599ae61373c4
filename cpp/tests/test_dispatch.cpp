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
    CHECK(named(name).f32.panel % kRowAlignment<float> == 0);
    CHECK(named(name).f64.panel % kRowAlignment<double> == 0);
  }
}

TEST_CASE("the environment chooses, else the best") {
  const char* wish = std::getenv("CHAINRULE_ISA");
  CHECK(active().f32.name == (wish && *wish ? wish : available().front()));
  CHECK(chainrule::instruction_set() == active().f32.name);
}

TEST_CASE("predictions get the same kernels, and none of training") {
  CHECK(active_inference().f32.name == active().f32.name);
  const bool same_forward = active_inference().f32.forward_row == active().f32.forward_row &&
                            active_inference().f64.forward_row == active().f64.forward_row;
  CHECK(same_forward);
  const bool trains_by_inference =
      active_inference().f32.weight_gradient || active_inference().f64.weight_gradient;
  CHECK_FALSE(trains_by_inference);
  for (const std::string& name : available()) {
    const bool trains = named(name).f32.weight_gradient && named(name).f64.weight_gradient;
    CHECK(trains);
  }
}

TEST_CASE("an unknown instruction set is refused by name") {
  CHECK_THROWS_WITH_AS(named("avx513"), doctest::Contains("instruction set 'avx513'"),
                       chainrule::Error);
  CHECK_THROWS_WITH_AS(named(""), doctest::Contains("portable"), chainrule::Error);
}
