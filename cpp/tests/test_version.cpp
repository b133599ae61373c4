// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>

#include "chainrule/version.h"

TEST_CASE("header and library are of one version") {
  CHECK(std::string(chainrule::version()) == CHAINRULE_VERSION);
  CHECK(std::string(CHAINRULE_VERSION) == std::to_string(CHAINRULE_VERSION_MAJOR) + "." +
                                              std::to_string(CHAINRULE_VERSION_MINOR) + "." +
                                              std::to_string(CHAINRULE_VERSION_PATCH));
}
