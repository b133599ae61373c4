// SPDX-License-Identifier: Apache-2.0
#include "engine/stages/windows.hpp"

#include <cstddef>

namespace chainrule::engine {
namespace {

std::int64_t length(const kernels::Span& span) { return span.end - span.begin; }

bool is_identity(const AxisSpans& axis) {
  if (static_cast<std::int64_t>(axis.spans.size()) != axis.x_extent) return false;
  for (std::size_t i = 0; i < axis.spans.size(); ++i)
    if (axis.spans[i].begin != static_cast<std::int64_t>(i) || length(axis.spans[i]) != 1)
      return false;
  return true;
}

}  // namespace

AxisSpans AxisSpans::reversed() const {
  AxisSpans result{static_cast<std::int64_t>(spans.size()),
                   std::vector<kernels::Span>(static_cast<std::size_t>(x_extent), {0, 0})};
  for (std::size_t y = 0; y < spans.size(); ++y)
    for (std::int64_t x = spans[y].begin; x < spans[y].end; ++x) {
      kernels::Span& holders = result.spans[static_cast<std::size_t>(x)];
      if (length(holders) == 0) holders.begin = static_cast<std::int64_t>(y);
      holders.end = static_cast<std::int64_t>(y) + 1;
    }
  return result;
}

Windows::Windows(std::vector<AxisSpans> axes)
    : rows_(axes.size() == 1 ? AxisSpans{1, {{0, 1}}} : std::move(axes.front())),
      columns_(std::move(axes.back())) {}

std::int64_t Windows::y_positions() const {
  return static_cast<std::int64_t>(rows_.spans.size() * columns_.spans.size());
}

kernels::WindowShape Windows::shape() const {
  return {.x_width = columns_.x_extent,
          .x_positions = x_positions(),
          .y_height = static_cast<std::int64_t>(rows_.spans.size()),
          .y_width = static_cast<std::int64_t>(columns_.spans.size()),
          .rows = rows_.spans.data(),
          .columns = columns_.spans.data()};
}

std::vector<std::int64_t> Windows::counts() const {
  std::vector<std::int64_t> counts;
  for (const kernels::Span& row : rows_.spans)
    for (const kernels::Span& column : columns_.spans)
      counts.push_back(length(row) * length(column));
  return counts;
}

bool Windows::are_identity() const { return is_identity(rows_) && is_identity(columns_); }

}  // namespace chainrule::engine
