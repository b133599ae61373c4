// SPDX-License-Identifier: Apache-2.0
// Columns of the caller's rows that hold categories: whole numbers from 0, of whatever type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/data.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// A column of categories, each of which is an index from `first` on.
struct CategoryColumn {
  std::int64_t column;  // of x
  std::int64_t count;
  std::int64_t first;
};

/// Throws Error naming the first row and column of x whose number is none of the column's
/// categories; a count of 0 stands for a column of any numbers. `columns` are their names, if any.
void check_categories(const RowsView& x, const std::vector<std::int64_t>& counts, const char* name,
                      const std::vector<std::string>& columns = {});

/// The indices of one row's categories, one for each of the columns: kNoColumn for a number that is
/// no category, so that rows which were not checked do no harm.
void read_categories(const RowsView& x, std::int64_t row,
                     const std::vector<CategoryColumn>& columns, std::int32_t* indices);

}  // namespace chainrule::engine
