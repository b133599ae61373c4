// SPDX-License-Identifier: Apache-2.0
// Numbers of categories, one for each column or a single one for all, as layers have them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chainrule/layer.hpp"
#include "model/kinds.hpp"

namespace chainrule::model {

/// What becomes of unseen categories, as configs have it: left out where it is an error, as it was
/// before there was a choice.
struct UnseenOptions {
  std::optional<std::string> unknown;
  std::optional<std::string> missing;

  static UnseenOptions of(Unseen unknown, Unseen missing);
  /// Sets both, of a layer of this kind; throws Error for an unknown name.
  void read(std::string_view kind, Unseen& unknown, Unseen& missing) const;
};

/// How many categories a layer has besides the known ones.
inline std::int64_t more_codes(const Layer& layer) {
  return (layer.unknown_categories() == Unseen::code ? 1 : 0) +
         (layer.missing_categories() == Unseen::code ? 1 : 0);
}

/// These numbers, each with as many more; those that are far too large stay as they are.
std::vector<std::int64_t> with_more(std::vector<std::int64_t> counts, std::int64_t more);

/// Their sum over `columns` columns; throws Error unless there is a single number or one for each,
/// and 32 bits can count the sum.
std::int64_t total_categories(std::string_view kind, std::string_view option,
                              const std::vector<std::int64_t>& counts, std::int64_t columns);

/// One for each column.
std::vector<std::int64_t> for_each_column(const std::vector<std::int64_t>& counts,
                                          std::int64_t columns);

}  // namespace chainrule::model
