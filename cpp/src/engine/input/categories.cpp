// SPDX-License-Identifier: Apache-2.0
#include "engine/input/categories.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <locale>
#include <sstream>
#include <string>
#include <type_traits>

#include "chainrule/error.hpp"
#include "engine/input/column_text.hpp"
#include "engine/input/gather.hpp"

namespace chainrule::engine {
namespace {

/// Whether a number is a whole one from 0 to before `count`.
template <class S>
bool is_category(S number, std::int64_t count) {
  if constexpr (std::is_floating_point_v<S>) {
    // Compared in double, because float cannot represent all counts.
    const auto wide = static_cast<double>(number);
    if (!(wide >= 0.0 && wide < static_cast<double>(count))) return false;
    return static_cast<double>(static_cast<std::int64_t>(wide)) == wide;
  } else {
    return static_cast<std::uint64_t>(number) < static_cast<std::uint64_t>(count);
  }
}

/// The columns of a table, and what they may hold.
struct Allowed {
  const std::vector<std::int64_t>& counts;
  const std::vector<bool>& missing;

  template <class S>
  bool at(const RowsView& x, std::int64_t row, std::int64_t j) const {
    const auto column = static_cast<std::size_t>(j);
    const std::int64_t count = counts[column];
    if (count == kAnyNumber) return true;
    const S number = number_at<S>(x, row, j);
    if (is_category(number, count)) return true;
    if constexpr (std::is_floating_point_v<S>) {
      if (std::isnan(number)) return !missing.empty() && missing[column];
      return count == kAnyWholeNumber && std::isfinite(number) && std::trunc(number) == number;
    } else {
      return count == kAnyWholeNumber;
    }
  }
};

/// Whether a row holds what its columns may.
template <class S>
bool row_is_valid(const RowsView& x, std::int64_t row, const Allowed& allowed) {
  bool valid = true;
  for (std::int64_t j = 0; j < x.columns; ++j) valid &= allowed.at<S>(x, row, j);
  return valid;
}

/// The same for adjacent integers, in a loop that vectorises; `last` is the largest that each
/// column may have, as an unsigned number.
template <class S, class U = std::make_unsigned_t<S>>
bool packed_row_is_valid(const RowsView& x, std::int64_t row, const U* last) {
  const char* numbers = static_cast<const char*>(x.data) + row * x.row_stride;
  U beyond = 0;
  for (std::int64_t j = 0; j < x.columns; ++j) {
    U number;
    std::memcpy(&number, numbers + j * static_cast<std::int64_t>(sizeof(S)), sizeof(S));
    beyond |= static_cast<U>(number > last[j] ? 1 : 0);
  }
  return beyond == 0;
}

/// The first row that is not valid; x.rows if all are.
template <class S>
std::int64_t first_invalid_row(const RowsView& x, const Allowed& allowed) {
  const std::vector<std::int64_t>& counts = allowed.counts;
  std::int64_t i = 0;
  if constexpr (std::is_integral_v<S>) {
    if (x.column_stride == static_cast<std::int64_t>(sizeof(S))) {
      using U = std::make_unsigned_t<S>;
      constexpr U most = std::numeric_limits<U>::max();
      std::vector<U> last(counts.size(), most);
      for (std::size_t j = 0; j < counts.size(); ++j) {
        const auto largest = static_cast<std::uint64_t>(counts[j] - 1);
        if (counts[j] > 0 && largest < most) last[j] = static_cast<U>(largest);
      }
      while (i < x.rows && packed_row_is_valid<S>(x, i, last.data())) ++i;
      return i;
    }
  }
  while (i < x.rows && row_is_valid<S>(x, i, allowed)) ++i;
  return i;
}

/// A number with ten digits, whatever the locale.
std::string text_of(double number) {
  if (std::isnan(number)) return "NaN";
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out.precision(10);
  out << number;
  return out.str();
}

/// The number in a row and column as a text.
std::string text_at(const RowsView& x, std::int64_t row, std::int64_t column) {
  return with_type(x.type, [&]<class S>(S) -> std::string {
    const S number = number_at<S>(x, row, column);
    if constexpr (std::is_floating_point_v<S>) {
      return text_of(static_cast<double>(number));
    } else {
      return std::to_string(number);
    }
  });
}

/// The first column of a row whose number is none of its categories; x.columns where, by now, all
/// are such.
std::int64_t first_invalid_column(const RowsView& x, std::int64_t row, const Allowed& allowed) {
  return with_type(x.type, [&]<class S>(S) {
    std::int64_t j = 0;
    while (j < x.columns && allowed.at<S>(x, row, j)) ++j;
    return j;
  });
}

/// The counts of two layers that read one column.
std::int64_t both(std::int64_t a, std::int64_t b) {
  if (a <= 0 || b <= 0) return a == kAnyNumber || b > 0 ? b : a;
  return std::min(a, b);
}

/// What `count_of(layer, categories)` says of each column of a graph's inputs, by all layers that
/// read it; empty where none reads any.
template <class CountOf>
std::vector<std::int64_t> counts_of(const Graph& graph, const CountOf& count_of) {
  std::vector<std::int64_t> counts;
  bool any = false;
  for (const std::int64_t input : graph.inputs()) {
    const auto first = static_cast<std::ptrdiff_t>(counts.size());
    const std::int64_t columns = graph.node(input).shape.size();
    counts.resize(counts.size() + static_cast<std::size_t>(columns), kAnyNumber);
    for (const Node& node : graph.nodes()) {
      if (!node.layer || !(*node.layer)->reads_categories() || node.inputs.front() != input)
        continue;
      any = true;
      auto column = counts.begin() + first;
      for (const std::int64_t own : (*node.layer)->categories(columns)) {
        *column = both(*column, count_of(**node.layer, own));
        ++column;
      }
    }
  }
  return any ? counts : std::vector<std::int64_t>{};
}

}  // namespace

CategoryColumn CategoryColumn::of(const Layer& layer, std::int64_t column, std::int64_t count,
                                  std::int64_t first, std::int64_t known) {
  CategoryColumn c{column, count, first};
  auto next = static_cast<std::int32_t>(first + known);
  if (layer.unknown_categories() == Unseen::code) c.unknown = next++;
  if (layer.missing_categories() == Unseen::code) c.missing = next;
  return c;
}

std::vector<std::int64_t> category_counts(const Graph& graph) {
  return counts_of(graph, [](const Layer& layer, std::int64_t own) {
    const bool takes_all = own > 0 && layer.unknown_categories() != Unseen::error;
    return takes_all ? kAnyWholeNumber : own;
  });
}

std::vector<std::int64_t> known_categories(const Graph& graph) {
  return counts_of(graph, [](const Layer&, std::int64_t own) { return own; });
}

// x: rows x columns, counts: columns. The first pass looks for a bad row alone, in a loop that
// vectorises; the second looks for the column. A caller's other threads may have changed the row in
// between, and then there is nothing to report.
void check_categories(const RowsView& x, const std::vector<std::int64_t>& counts,
                      const std::vector<bool>& missing, const char* name,
                      const std::vector<std::string>& columns) {
  const Allowed allowed{counts, missing};
  const std::int64_t row =
      with_type(x.type, [&]<class S>(S) { return first_invalid_row<S>(x, allowed); });
  if (row == x.rows) return;
  const std::int64_t j = first_invalid_column(x, row, allowed);
  if (j == x.columns) return;
  const std::string column = column_text(columns, j);
  const std::int64_t count = counts[static_cast<std::size_t>(j)];
  const std::string range = count > 0 ? " from 0 to " + std::to_string(count - 1) : "";
  throw Error(std::string(name) + " must hold categories in column " + column + ", whole numbers" +
              range + "; row " + std::to_string(row) + ", column " + column + " is " +
              text_at(x, row, j));
}

// indices: one for each of `columns`; a number is checked as it is read, since another thread of
// the caller's may have changed it since all were checked.
void read_categories(const RowsView& x, std::int64_t row,
                     const std::vector<CategoryColumn>& columns, std::int32_t* indices) {
  with_type(x.type, [&]<class S>(S) {
    for (const CategoryColumn& c : columns) {
      const S number = number_at<S>(x, row, c.column);
      std::int32_t& index = *indices++;
      if (!is_category(number, c.count)) {
        index = std::isnan(static_cast<double>(number)) ? c.missing : c.unknown;
      } else if (c.sign) {
        const auto first = static_cast<std::int32_t>(c.first);
        index = number == S(0) ? ~first : first;
      } else {
        index = static_cast<std::int32_t>(c.first + static_cast<std::int64_t>(number));
      }
    }
  });
}

}  // namespace chainrule::engine
