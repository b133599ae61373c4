// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace chainrule {

struct ConfigEntry;

/// A description as plain data: the kind's name and its options, in the order in which the kind
/// declares them. Model files, the Python bindings and error messages all speak this form.
///
/// Reading is strict: an unknown option, an option given twice, a wrong type and a value out of
/// range are each an Error. An integer is taken where a number is expected, and a string where a
/// nested description is, for the kind of that name with its default options.
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

}  // namespace chainrule
