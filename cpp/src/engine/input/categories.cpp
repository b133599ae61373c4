// SPDX-License-Identifier: Apache-2.0
#include "engine/input/categories.hpp"

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

/// Whether a row holds the columns' categories.
template <class S>
bool row_is_valid(const RowsView& x, std::int64_t row, const std::vector<std::int64_t>& counts) {
  bool valid = true;
  for (std::int64_t j = 0; j < x.columns; ++j) {
    const std::int64_t count = counts[static_cast<std::size_t>(j)];
    valid &= count == 0 || is_category(number_at<S>(x, row, j), count);
  }
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
std::int64_t first_invalid_row(const RowsView& x, const std::vector<std::int64_t>& counts) {
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
  while (i < x.rows && row_is_valid<S>(x, i, counts)) ++i;
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
std::int64_t first_invalid_column(const RowsView& x, std::int64_t row,
                                  const std::vector<std::int64_t>& counts) {
  return with_type(x.type, [&]<class S>(S) {
    std::int64_t j = 0;
    while (j < x.columns &&
           (counts[static_cast<std::size_t>(j)] == 0 ||
            is_category(number_at<S>(x, row, j), counts[static_cast<std::size_t>(j)])))
      ++j;
    return j;
  });
}

}  // namespace

// x: rows x columns, counts: columns. The first pass looks for a bad row alone, in a loop that
// vectorises; the second looks for the column. A caller's other threads may have changed the row in
// between, and then there is nothing to report.
void check_categories(const RowsView& x, const std::vector<std::int64_t>& counts, const char* name,
                      const std::vector<std::string>& columns) {
  const std::int64_t row =
      with_type(x.type, [&]<class S>(S) { return first_invalid_row<S>(x, counts); });
  if (row == x.rows) return;
  const std::int64_t j = first_invalid_column(x, row, counts);
  if (j == x.columns) return;
  const std::string column = column_text(columns, j);
  throw Error(std::string(name) + " must hold categories in column " + column +
              ", whole numbers from 0 to " +
              std::to_string(counts[static_cast<std::size_t>(j)] - 1) + "; row " +
              std::to_string(row) + ", column " + column + " is " + text_at(x, row, j));
}

// indices: one for each of `columns`; a number is checked as it is read, since another thread of
// the caller's may have changed it since all were checked.
void read_categories(const RowsView& x, std::int64_t row,
                     const std::vector<CategoryColumn>& columns, std::int32_t* indices) {
  with_type(x.type, [&]<class S>(S) {
    for (const CategoryColumn& c : columns) {
      const S number = number_at<S>(x, row, c.column);
      const bool valid = is_category(number, c.count);
      *indices++ = valid ? static_cast<std::int32_t>(c.first + static_cast<std::int64_t>(number))
                         : kernels::kNoColumn;
    }
  });
}

}  // namespace chainrule::engine
