// SPDX-License-Identifier: Apache-2.0
// Columns of the caller's rows that hold categories: whole numbers from 0, of whatever type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/data.hpp"
#include "chainrule/graph.hpp"
#include "chainrule/layer.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// A column of categories, each of which is an index from `first` on. Of a sign both categories are
/// the first index, whose complement (~first) stands for the one that is -1.
struct CategoryColumn {
  std::int64_t column;  // of x
  std::int64_t count;
  std::int64_t first;
  std::int32_t unknown = kernels::kNoColumn;  // the indices of what is none of them
  std::int32_t missing = kernels::kNoColumn;
  bool sign = false;

  /// With indices for unseen categories behind `known` indices, as far as the layer has some.
  static CategoryColumn of(const Layer& layer, std::int64_t column, std::int64_t count,
                           std::int64_t first, std::int64_t known);
};

/// In place of a count: the column holds any whole numbers, or any numbers at all.
constexpr std::int64_t kAnyWholeNumber = -1;
constexpr std::int64_t kAnyNumber = 0;

/// How many categories each column of a graph's inputs may hold, by all layers that read them;
/// empty where none holds any.
std::vector<std::int64_t> category_counts(const Graph& graph);

/// How many categories of each column have codes that all layers know, 0 for one of numbers; empty
/// as above.
std::vector<std::int64_t> known_categories(const Graph& graph);

/// Throws Error naming the first row and column of x whose number is none of the column's
/// categories. NaN passes where `missing` says so of its column; empty: nowhere. `columns` are
/// their names, if any.
void check_categories(const RowsView& x, const std::vector<std::int64_t>& counts,
                      const std::vector<bool>& missing, const char* name,
                      const std::vector<std::string>& columns = {});

/// The indices of one row's categories, one for each of the columns: kNoColumn for a number that is
/// no category and has no index as an unseen one, so that rows which were not checked do no harm.
void read_categories(const RowsView& x, std::int64_t row,
                     const std::vector<CategoryColumn>& columns, std::int32_t* indices);

}  // namespace chainrule::engine
