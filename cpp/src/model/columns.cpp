// SPDX-License-Identifier: Apache-2.0
#include "model/columns.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include "model/fields.hpp"

namespace chainrule::model {

void check_columns(std::string_view kind, std::string_view option,
                   const std::vector<std::int64_t>& columns, std::int64_t inputs) {
  check_value(kind, option, columns, non_negative);
  for (auto column = columns.begin(); column != columns.end(); ++column) {
    if (*column >= inputs)
      refuse(kind, std::string(option) + " must be below the " + std::to_string(inputs) +
                       " columns of x, got " + std::to_string(*column));
    if (std::find(columns.begin(), column, *column) != column)
      refuse(kind, std::string(option) + " has " + std::to_string(*column) + " twice");
  }
}

std::vector<std::int64_t> or_all(const std::vector<std::int64_t>& columns, std::int64_t inputs) {
  if (!columns.empty()) return columns;
  std::vector<std::int64_t> all(static_cast<std::size_t>(inputs));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return all;
}

}  // namespace chainrule::model
