// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"

namespace chainrule {

struct ConfigEntry;

/// A description as plain data: the kind's name and its options, in the order in which the kind
/// declares them. Model files, the Python bindings and error messages all speak this form.
///
/// Reading is strict: an unknown option, an option given twice, a wrong type and a value out of
/// range are each an Error. An integer is taken where a number is expected, and a string where a
/// nested description is, for the kind of that name with its default options. Without a kind it is
/// a table of numbers by name, which some options take.
struct Config {
  std::string kind;
  std::vector<ConfigEntry> options;

  friend bool operator==(const Config& left, const Config& right);
};

using ConfigValue =
    std::variant<bool, std::int64_t, double, std::string, std::vector<double>, Config>;

struct ConfigEntry {
  std::string name;
  ConfigValue value;

  bool operator==(const ConfigEntry&) const = default;
};

inline bool operator==(const Config& left, const Config& right) {
  return left.kind == right.kind && left.options == right.options;
}

/// A description in the JSON form that model files have, {"kind": "adam", "learning_rate": 0.001},
/// or the kind's name alone, adam. Throws Error when it is neither.
CHAINRULE_API Config config_from_json(std::string_view text);
/// A JSON list of descriptions.
CHAINRULE_API std::vector<Config> configs_from_json(std::string_view text);

/// The JSON text of a description, or of a list of them.
CHAINRULE_API std::string to_json(const Config& config);
CHAINRULE_API std::string to_json(const std::vector<Config>& configs);

}  // namespace chainrule
