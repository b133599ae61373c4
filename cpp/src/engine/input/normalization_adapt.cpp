// SPDX-License-Identifier: Apache-2.0
// Normalization layers take their statistics from data.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "chainrule/layers.hpp"
#include "engine/input/column_statistics.hpp"
#include "engine/input/gather.hpp"
#include "engine/input/layer_rows.hpp"
#include "engine/instantiate.hpp"
#include "engine/stages/affine.hpp"

namespace chainrule {

namespace {

/// What a Normalization is adapted to.
struct ColumnScales {
  std::vector<double> centers;
  std::vector<double> spreads;  // variances, or scales
  std::vector<double> exact;    // centers with the digits that T has not; empty: it has all
};

/// Throws Error unless T can represent the spread of a column, which `name` says what it is.
template <class T>
void check_spread(double spread, const char* name, std::size_t column) {
  const bool large = !std::isfinite(static_cast<T>(spread));
  if (!large && (spread <= 0.0 || static_cast<T>(spread) != T(0))) return;
  char text[32];
  std::snprintf(text, sizeof(text), "%g", spread);
  throw Error(std::string("the ") + name + " of column " + std::to_string(column) + " of x, " +
              text + ", is too " + (large ? "large" : "small") + " for the network's precision");
}

/// The interquartile range of a column; where that is 0, half of its range.
template <class T>
double robust_scale(engine::ColumnQuantiles<T>& numbers, std::size_t j) {
  const double middle = numbers.quantile(j, 0.75) - numbers.quantile(j, 0.25);
  return middle > 0.0 ? middle : (numbers.quantile(j, 1.0) - numbers.quantile(j, 0.0)) / 2.0;
}

/// Moves the centers of columns to `exact`, where they are so large beside the spread that T has
/// not the digits. `factor` is what the differences are divided by.
template <class T, class Factor>
void take_exact(ColumnScales& scales, std::size_t j, double center, double spread,
                const Factor& factor) {
  if (!engine::AffineStage<T>::is_wide(center / factor(spread))) return;
  if (scales.exact.empty())
    for (const double c : scales.centers) scales.exact.push_back(static_cast<T>(c));
  scales.centers[j] = scales.exact[j] = center;
  scales.spreads[j] = spread;
}

}  // namespace

// x: positions x columns, read twice where moments are asked for: for means and for variances about
// them, which keeps the digits that a sum of squares would lose; quantiles keep the numbers.
template <class T>
void Network<T>::State::adapt(const Normalization& described, LayerRows& x) {
  State& s = *this;
  const std::int64_t layer = x.layer();
  const bool robust = described.method == Normalization::Method::robust;
  const engine::Parameter* center = s.parameters.find(layer, robust ? "center" : "mean");
  const engine::Parameter* spread = s.parameters.find(layer, robust ? "scale" : "variance");
  const auto columns = static_cast<std::size_t>(x.columns());
  std::int64_t rows = 0;
  bool exactly = false;
  const auto check_first = [&](const Inputs& piece) {
    x.check_numbers(piece);
    if (rows == 0)
      // A layer that reads the caller's doubles directly keeps the digits that float32 has not.
      exactly = x.reads_input() && sizeof(T) == 4 && piece.size() == 1 &&
                engine::has_more_digits(piece[0].type);
  };
  ColumnScales scales;
  if (robust) {
    engine::ColumnQuantiles<T> numbers(columns);
    engine::ColumnQuantiles<double> doubles(columns);
    x.pass([&](const Inputs& piece) {
      check_first(piece);
      const engine::RowList part = x.rows_of(piece);
      rows += part.count * x.positions();
      if (exactly) {
        doubles.reserve(part.count);
        engine::for_each_number(piece[0], part,
                                [&](std::size_t j, double v) { doubles.add(j, v); });
        return;
      }
      numbers.reserve(part.count * x.positions());
      x.each_position(piece, [&](const T* row) {
        for (std::size_t j = 0; j < columns; ++j) numbers.add(j, row[j]);
      });
    });
    // A column without numbers gets centre 0 and scale 0.
    const auto take = [&](auto& kept) {
      for (std::size_t j = 0; j < columns; ++j) {
        const bool any = !kept.empty(j);
        scales.centers.push_back(any ? kept.quantile(j, 0.5) : 0.0);
        scales.spreads.push_back(any ? robust_scale(kept, j) : 0.0);
      }
    };
    exactly ? take(doubles) : take(numbers);
    for (std::size_t j = 0; exactly && j < columns; ++j)
      take_exact<T>(scales, j, scales.centers[j], scales.spreads[j],
                    [](double scale) { return scale > 0.0 ? scale : HUGE_VAL; });
  } else {
    engine::Moments moments(columns);
    engine::ExactMoments exact_moments;
    x.pass([&](const Inputs& piece) {
      check_first(piece);
      x.each_position(piece, [&](const T* row) {
        for (std::size_t j = 0; j < columns; ++j) moments.add_to_mean(j, row[j]);
        ++rows;
      });
      if (exactly) exact_moments.add_to_means(piece[0], x.rows_of(piece));
    });
    moments.divide_means();
    exact_moments.divide_means();
    std::int64_t again = 0;
    if (rows > 0)
      x.pass([&](const Inputs& piece) {
        x.each_position(piece, [&](const T* row) {
          for (std::size_t j = 0; j < columns; ++j) moments.add_to_variance(j, row[j]);
          ++again;
        });
        if (exactly) exact_moments.add_to_variances(piece[0], x.rows_of(piece));
      });
    if (again != rows)
      throw Error("x gave " + std::to_string(rows) + " rows, and " + std::to_string(again) +
                  " when it was read again");
    moments.divide_variances();
    scales.centers = std::move(moments.means);
    scales.spreads = std::move(moments.variances);
    if (exactly) {
      // Of ordinary columns these would be the same but for what rounding does to them.
      const engine::Moments& exact = exact_moments.finished();
      for (std::size_t j = 0; j < columns; ++j)
        take_exact<T>(scales, j, exact.means[j], exact.variances[j],
                      [](double variance) { return variance > 0.0 ? std::sqrt(variance) : 1.0; });
    }
  }
  if (rows == 0) throw Error("x is empty: it has 0 rows");
  const std::vector<bool> chosen = described.normalized(static_cast<std::int64_t>(columns));
  for (std::size_t j = 0; j < columns; ++j) {
    if (chosen[j]) {
      check_spread<T>(scales.spreads[j], robust ? "scale" : "variance", j);
      continue;
    }
    scales.centers[j] = 0.0;
    scales.spreads[j] = 1.0;
    if (!scales.exact.empty()) scales.exact[j] = 0.0;
  }
  // All checks are behind: from here on nothing throws, so the layer changes as a whole.
  if (layer == 0) s.parameters.set_exact_mean({});
  for (std::size_t j = 0; j < columns; ++j) {
    s.parameters.at(center)[j] = static_cast<T>(scales.centers[j]);
    s.parameters.at(spread)[j] = static_cast<T>(scales.spreads[j]);
  }
  if (layer == 0) s.parameters.set_exact_mean(std::move(scales.exact));
}

#define CHAINRULE_MEMBERS(T) \
  template void Network<T>::State::adapt(const Normalization&, LayerRows&);
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule
