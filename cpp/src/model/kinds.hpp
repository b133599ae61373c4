// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "chainrule/error.hpp"
#include "chainrule/names.hpp"

namespace chainrule::model {

/// The names of an enumeration's kinds, in the order of its values 0, 1, 2, ...
template <class Kind, std::size_t count>
class Kinds {
 public:
  constexpr Kinds(const char* what, const std::array<const char*, count>& names)
      : what_(what), names_(names) {}

  std::string_view name(Kind kind) const {
    const auto index = static_cast<std::size_t>(kind);
    if (index >= count)
      throw Error(std::string(what_) + " kind must be below " + std::to_string(count) + ", got " +
                  std::to_string(index));
    return names_[index];
  }

  Kind find(std::string_view name) const {
    for (std::size_t i = 0; i < count; ++i)
      if (name == names_[i]) return static_cast<Kind>(i);
    throw Error(unknown_name(what_, name, all()));
  }

  std::vector<std::string> all() const { return {names_.begin(), names_.end()}; }

 private:
  const char* what_;
  std::array<const char*, count> names_;
};

/// The table for `Kind`, whose last value is `last`: names that are missing do not compile.
template <class Kind, Kind last, class... Names>
constexpr auto kinds_of(const char* what, Names... names) {
  static_assert(sizeof...(Names) == static_cast<std::size_t>(last) + 1);
  return Kinds<Kind, sizeof...(Names)>(what, {names...});
}

}  // namespace chainrule::model
