// SPDX-License-Identifier: Apache-2.0
// Which positions of one tensor each position of another is made of.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/pooling_args.hpp"

namespace chainrule::engine {

/// For each place along an axis of y a span of places along that of x, neither end of which lies
/// before that of an earlier place; it may be empty.
struct AxisSpans {
  std::int64_t x_extent;
  std::vector<kernels::Span> spans;

  /// For each place along x's axis those of y whose spans hold it.
  AxisSpans reversed() const;
};

/// Windows along rows and columns of positions, with their tables. A sequence has one row.
class Windows {
 public:
  explicit Windows(std::vector<AxisSpans> axes);

  std::int64_t x_positions() const { return rows_.x_extent * columns_.x_extent; }
  std::int64_t y_positions() const;
  kernels::WindowShape shape() const;
  Windows reversed() const { return Windows({rows_.reversed(), columns_.reversed()}); }

  /// How many positions each window has.
  std::vector<std::int64_t> counts() const;
  /// Whether each window is the position of its own place.
  bool are_identity() const;

 private:
  AxisSpans rows_;
  AxisSpans columns_;
};

}  // namespace chainrule::engine
