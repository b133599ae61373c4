// SPDX-License-Identifier: Apache-2.0
#include "engine/stages/convolution_windows.hpp"

#include <algorithm>

namespace chainrule::engine {
namespace {

using kernels::Run;
using model::Window;

/// Adds numbers to those of the last run, where they lie behind them.
void append(std::vector<Run>& runs, std::int64_t offset, std::int64_t count) {
  if (!runs.empty() && runs.back().offset + runs.back().count == offset) {
    runs.back().count += count;
  } else {
    runs.push_back({offset, count});
  }
}

/// Of the positions of dx along one axis that share their kernel entries: the first of them, how
/// many there are, every `stride`, and for each entry, from the last to the first, the output that
/// the first position is in by it. The next positions are in the next outputs.
struct AxisPhase {
  std::int64_t first;
  std::int64_t count;
  std::vector<std::int64_t> entries;
  std::vector<std::int64_t> outputs;
};

std::vector<AxisPhase> phases_of(const Window& w) {
  std::vector<AxisPhase> phases;
  for (std::int64_t first = 0; first < std::min(w.stride, w.inputs); ++first) {
    AxisPhase phase{first, (w.inputs - first + w.stride - 1) / w.stride, {}, {}};
    for (std::int64_t entry = w.size; entry-- > 0;) {
      // o stride - before + entry dilation = first
      const std::int64_t from = first + w.before - entry * w.dilation;
      if (from % w.stride != 0) continue;
      phase.entries.push_back(entry);
      phase.outputs.push_back(from / w.stride);
    }
    phases.push_back(phase);
  }
  return phases;
}

/// Zeros that phases need before the outputs of an axis, and behind them.
struct AxisBorder {
  std::int64_t before = 0;
  std::int64_t behind = 0;
};

AxisBorder border_of(const std::vector<AxisPhase>& phases, std::int64_t outputs) {
  AxisBorder border;
  for (const AxisPhase& phase : phases) {
    for (const std::int64_t output : phase.outputs) {
      border.before = std::max(border.before, -output);
      border.behind = std::max(border.behind, output + phase.count - outputs);
    }
  }
  return border;
}

/// Entries of a phase, by their place in its list.
struct EntryRange {
  std::size_t begin = 0, end = 0;

  bool operator==(const EntryRange&) const = default;
};

/// Those by which its position i is in an output of the axis. Outputs rise from entry to entry.
EntryRange entries_inside(const AxisPhase& phase, std::int64_t i, std::int64_t outputs) {
  EntryRange range{0, phase.outputs.size()};
  while (range.begin < range.end && phase.outputs[range.begin] + i < 0) ++range.begin;
  while (range.begin < range.end && phase.outputs[range.end - 1] + i >= outputs) --range.end;
  return range;
}

}  // namespace

ForwardWindows::ForwardWindows(const Window& y, const Window& x, std::int64_t columns,
                               std::int64_t y_stride)
    : height(y.before + y.inputs + y.behind),
      width(x.before + x.inputs + x.behind),
      border{y.before, y.behind, x.before, x.behind},
      step(x.stride * columns) {
  for (std::int64_t i = 0; i < y.size; ++i) {
    for (std::int64_t j = 0; j < x.size; ++j) {
      const std::int64_t at = (i * y.dilation * width + j * x.dilation) * columns;
      append(terms, at, columns);
      for (std::int64_t c = 0; c < columns; ++c) rows.push_back(at + c);
    }
  }
  for (std::int64_t i = 0; i < y.outputs; ++i) {
    const std::int64_t row = i * y.stride * width * columns;
    output_rows.push_back({row, x.outputs});
    for (std::int64_t j = 0; j < x.outputs; ++j)
      places.push_back({row + j * step, (i * x.outputs + j) * y_stride});
  }
}

GradientWindows::GradientWindows(const Window& y, const Window& x, std::int64_t columns,
                                 std::int64_t dx_stride) {
  const std::vector<AxisPhase> x_phases = phases_of(x);
  const AxisBorder x_border = border_of(x_phases, x.outputs);
  border = {0, 0, x_border.before, x_border.behind};
  width = border.left + x.outputs + border.right;
  for (const AxisPhase& down : phases_of(y)) {
    for (const AxisPhase& across : x_phases) {
      GradientPhase phase;
      for (const std::int64_t entry : down.entries)
        for (const std::int64_t column : across.entries)
          phase.taps.push_back(entry * x.size + column);
      for (std::int64_t i = 0; i < down.count; ++i) {
        const EntryRange inside = entries_inside(down, i, y.outputs);
        const auto first_tap = static_cast<std::int64_t>(inside.begin * across.entries.size());
        if (i == 0 || !(inside == entries_inside(down, i - 1, y.outputs))) {
          GradientRows rows{first_tap, {}, {}};
          for (std::size_t k = inside.begin; k < inside.end; ++k)
            for (const std::int64_t output : across.outputs)
              append(rows.terms, (down.outputs[k] * width + border.left + output) * columns,
                     columns);
          phase.rows.push_back(rows);
        }
        for (std::int64_t j = 0; j < across.count; ++j) {
          const std::int64_t position =
              (down.first + i * y.stride) * x.inputs + across.first + j * x.stride;
          phase.rows.back().places.push_back({(i * width + j) * columns, position * dx_stride});
        }
      }
      phases.push_back(phase);
    }
  }
}

}  // namespace chainrule::engine
