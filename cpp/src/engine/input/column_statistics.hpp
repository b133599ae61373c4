// SPDX-License-Identifier: Apache-2.0
// Means, variances and quantiles of columns; NaN, a missing number, counts in none of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/input/gather.hpp"
#include "engine/input/row_order.hpp"

namespace chainrule::engine {

/// Means and variances of columns, by two passes over the rows.
struct Moments {
  explicit Moments(std::size_t columns)
      : means(columns, 0.0),
        variances(columns, 0.0),
        first(columns),
        counts(columns, 0),
        varies(columns, false) {}

  template <class Value>
  void add_to_mean(std::size_t j, Value value) {
    const auto v = static_cast<double>(value);
    if (std::isnan(v)) return;
    if (counts[j]++ == 0) first[j] = v;
    varies[j] = varies[j] || v != first[j];
    means[j] += v;
  }
  void divide_means() {
    // A sum of equal numbers, divided by how many they are, need not be that number.
    for (std::size_t j = 0; j < means.size(); ++j)
      means[j] = varies[j] ? means[j] / static_cast<double>(counts[j]) : first[j];
  }
  template <class Value>
  void add_to_variance(std::size_t j, Value value) {
    const double d = static_cast<double>(value) - means[j];
    if (!std::isnan(d)) variances[j] += d * d;
  }
  /// By the count, not the count less one: Keras and scikit-learn scale so.
  void divide_variances() {
    for (std::size_t j = 0; j < variances.size(); ++j)
      if (counts[j] > 0) variances[j] /= static_cast<double>(counts[j]);
  }

  // For each column; counts and first leave out NaN, varies says whether two numbers differ.
  std::vector<double> means, variances, first;
  std::vector<std::int64_t> counts;
  std::vector<bool> varies;
};

/// Calls visit(column, number) for all numbers of the rows of a list as the caller has them.
template <class Visit>
void for_each_number(const RowsView& x, RowList rows, Visit visit) {
  const RowOrder order = rows.from(0);
  with_type(x.type, [&]<class S>(S) {
    for (std::int64_t i = 0; i < rows.count; ++i)
      for (std::int64_t j = 0; j < x.columns; ++j)
        visit(static_cast<std::size_t>(j), static_cast<double>(number_at<S>(x, order[i], j)));
  });
}

/// Moments of the caller's numbers as they are, before they are rounded to float. Their sum is that
/// of the differences from the first, which has digits to spare.
class ExactMoments {
 public:
  void add_to_means(const RowsView& x, RowList rows) {
    if (moments_.means.empty()) moments_ = Moments(static_cast<std::size_t>(x.columns));
    for_each_number(x, rows, [&](std::size_t j, double v) {
      if (std::isnan(v)) return;
      if (moments_.counts[j]++ == 0) moments_.first[j] = v;
      moments_.means[j] += v - moments_.first[j];
    });
  }
  void divide_means() {
    for (std::size_t j = 0; j < moments_.means.size(); ++j)
      if (moments_.counts[j] > 0)
        moments_.means[j] =
            moments_.first[j] + moments_.means[j] / static_cast<double>(moments_.counts[j]);
  }
  void add_to_variances(const RowsView& x, RowList rows) {
    for_each_number(x, rows, [&](std::size_t j, double v) { moments_.add_to_variance(j, v); });
  }
  const Moments& finished() {
    moments_.divide_variances();
    return moments_;
  }

 private:
  Moments moments_{0};
};

/// Quantiles of columns, of which it keeps all numbers but NaN. A few are found without sorting;
/// sort() first is faster for many.
template <class T>
class ColumnQuantiles {
 public:
  explicit ColumnQuantiles(std::size_t columns) : columns_(columns) {}

  /// Makes room for `more` numbers of each column.
  void reserve(std::int64_t more) {
    for (std::vector<T>& column : columns_) {
      const std::size_t needed = column.size() + static_cast<std::size_t>(more);
      if (needed > column.capacity()) column.reserve(std::max(needed, 2 * column.capacity()));
    }
  }
  void add(std::size_t j, T value) {
    if (!std::isnan(value)) columns_[j].push_back(value);
  }
  bool empty(std::size_t j) const { return columns_[j].empty(); }

  void sort(std::size_t j) {
    std::sort(columns_[j].begin(), columns_[j].end());
    sorted_ = j;
  }

  /// The number at place q (n - 1) of the sorted column, in a straight line between its neighbours.
  double quantile(std::size_t j, double q) {
    std::vector<T>& column = columns_[j];
    const double place = q * static_cast<double>(column.size() - 1);
    const auto below = static_cast<std::ptrdiff_t>(place);
    const double rest = place - static_cast<double>(below);
    const auto middle = column.begin() + below;
    if (j != sorted_) std::nth_element(column.begin(), middle, column.end());
    const auto low = static_cast<double>(*middle);
    if (rest == 0.0) return low;
    const auto next = j == sorted_ ? middle + 1 : std::min_element(middle + 1, column.end());
    const auto high = static_cast<double>(*next);
    return low + rest * (high - low);
  }

 private:
  std::vector<std::vector<T>> columns_;
  std::size_t sorted_ = SIZE_MAX;  // the column that is
};

}  // namespace chainrule::engine
