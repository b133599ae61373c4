// SPDX-License-Identifier: Apache-2.0
#include "engine/second_order/line_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace chainrule::engine {
namespace {

/// A search under way: the point where it starts, the best one and the last one so far.
class LineSearch {
 public:
  LineSearch(const LinePoint& start, const LineSearchOptions& options,
             const Callback<LinePoint(double)>& evaluate)
      : start_(start), options_(options), evaluate_(evaluate), best_(start), last_(start) {}

  LineSearchResult run(double first);

 private:
  /// The point at a step; infinite where anything of it is not finite.
  LinePoint look(double at);
  LineSearchResult zoom(LinePoint low, LinePoint high);
  /// The best point without the conditions, which the caller may still take if it is lower.
  LineSearchResult give_up() const { return {best_, false, best_.at == last_.at}; }
  static LineSearchResult found(const LinePoint& point) { return {point, true, true}; }

  /// How much values may differ by rounding alone.
  double noise() const { return options_.precision * std::fabs(start_.value); }
  /// The first condition, value <= value(0) + c1 at slope(0); or, where values are within their
  /// noise, what it says of a parabola: slope <= (2 c1 - 1) slope(0).
  bool decreases(const LinePoint& p) const {
    const double straight = start_.value + options_.decrease * p.at * start_.slope;
    if (p.value <= straight) return true;
    return p.value <= start_.value + noise() &&
           p.slope <= (2.0 * options_.decrease - 1.0) * start_.slope;
  }
  /// The second condition, |slope| <= c2 |slope(0)|.
  bool is_flat(const LinePoint& p) const {
    return std::fabs(p.slope) <= -options_.curvature * start_.slope;
  }

  const LinePoint start_;
  const LineSearchOptions options_;
  const Callback<LinePoint(double)>& evaluate_;
  LinePoint best_;
  LinePoint last_;
  int evaluations_ = 0;
};

LinePoint LineSearch::look(double at) {
  ++evaluations_;
  last_ = evaluate_(at);
  if (!std::isfinite(last_.value) || !std::isfinite(last_.slope)) {
    last_.value = std::numeric_limits<double>::infinity();
    last_.slope = std::numeric_limits<double>::infinity();
  }
  if (last_.value < best_.value) best_ = last_;
  return last_;
}

/// The minimum of the cubic through two points with their slopes; their middle where there is none.
double cubic_minimum(const LinePoint& a, const LinePoint& b) {
  const double middle = 0.5 * (a.at + b.at);
  const double d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.at - b.at);
  const double square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0.0) || !std::isfinite(square)) return middle;
  const double d2 = (b.at > a.at ? 1.0 : -1.0) * std::sqrt(square);
  const double at = b.at - (b.at - a.at) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
  return std::isfinite(at) ? at : middle;
}

// Algorithm 3.5: steps that grow until an interval brackets a minimum.
LineSearchResult LineSearch::run(double first) {
  constexpr double most_growth = 10.0;
  LinePoint before = start_;
  double at = first;
  while (evaluations_ < options_.most_evaluations) {
    const LinePoint p = look(at);
    if (!decreases(p) || (evaluations_ > 1 && p.value >= before.value + noise()))
      return zoom(before, p);
    if (is_flat(p)) return found(p);
    if (p.slope >= 0.0) return zoom(p, before);
    const double next = cubic_minimum(before, p);
    before = p;
    at = std::clamp(next, 2.0 * p.at, most_growth * p.at);
  }
  return give_up();
}

/// Algorithm 3.6. Between `low`, which decreases, and `high` there is a step that fulfils the
/// conditions. The interval shrinks by a tenth of it or more each time, since no step is tried near
/// its ends; without a finite value at `high` the step stays near `low`.
LineSearchResult LineSearch::zoom(LinePoint low, LinePoint high) {
  constexpr double edge = 0.1;  // of the interval, where no step is tried
  while (evaluations_ < options_.most_evaluations) {
    const double width = high.at - low.at;
    if (std::fabs(width) <= 1e-12 * std::fmax(std::fabs(low.at), std::fabs(high.at))) break;
    const double margin = edge * std::fabs(width);
    double at = std::isfinite(high.value) ? cubic_minimum(low, high) : low.at + edge * width;
    at = std::clamp(at, std::min(low.at, high.at) + margin, std::max(low.at, high.at) - margin);
    const LinePoint p = look(at);
    if (!decreases(p) || p.value >= low.value + noise()) {
      high = p;
      continue;
    }
    if (is_flat(p)) return found(p);
    if (p.slope * width >= 0.0) high = low;
    low = p;
  }
  return give_up();
}

}  // namespace

LineSearchResult search_line(const LinePoint& start, double first, const LineSearchOptions& options,
                             const Callback<LinePoint(double)>& evaluate) {
  return LineSearch(start, options, evaluate).run(first);
}

}  // namespace chainrule::engine
