// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chainrule/callback.hpp"

namespace chainrule::engine {

/// A function of one number along a line: where, how large, how steep.
struct LinePoint {
  double at = 0.0;
  double value = 0.0;
  double slope = 0.0;
};

struct LineSearchResult {
  LinePoint point;         // the best one that was found
  bool fulfilled = false;  // it fulfils the conditions
  bool is_last = false;    // it was evaluated last
};

/// What a line search may do, and when it is content.
struct LineSearchOptions {
  double decrease = 1e-4;  // c1: value(a) <= value(0) + c1 a slope(0)
  double curvature = 0.9;  // c2: |slope(a)| <= c2 |slope(0)|
  /// How exact values are, as a fraction: differences within it are none. There the slope alone
  /// tells whether a step is long enough (Hager & Zhang, 2005, "approximate Wolfe").
  double precision = 1e-15;
  int most_evaluations = 25;
};

/// Looks for a step that fulfils the strong Wolfe conditions (Nocedal & Wright, "Numerical
/// Optimization", 2006, algorithms 3.5 and 3.6), with cubic interpolation (equation 3.59). `start`
/// is at 0 and has a negative slope; `first` is the step to try first. Values that are not finite
/// are taken for infinite.
LineSearchResult search_line(const LinePoint& start, double first, const LineSearchOptions& options,
                             const Callback<LinePoint(double)>& evaluate);

}  // namespace chainrule::engine
