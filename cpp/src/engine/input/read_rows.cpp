// SPDX-License-Identifier: Apache-2.0
#include "engine/input/read_rows.hpp"

#include <cstddef>
#include <string>

#include "chainrule/error.hpp"

namespace chainrule::engine {

InputRows read_rows(const ReadRows& read, const std::int64_t* numbers, std::int64_t count,
                    const Inputs& x) {
  InputRows rows = read(numbers, count);
  if (rows.inputs.size() != x.size())
    throw Error("read gave rows for " + std::to_string(rows.inputs.size()) + " inputs, expected " +
                std::to_string(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const RowsView& given = rows.inputs[i];
    if (given.rows == count && given.columns == x[i].columns) continue;
    throw Error("read gave " + std::to_string(given.rows) + " rows of " +
                std::to_string(given.columns) + " numbers, expected " + std::to_string(count) +
                " of " + std::to_string(x[i].columns));
  }
  return rows;
}

}  // namespace chainrule::engine
