// SPDX-License-Identifier: Apache-2.0
// Windows that move over the axes of an image or a sequence, as kernels and pools do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "chainrule/padding.hpp"
#include "chainrule/shape.hpp"
#include "model/kinds.hpp"

namespace chainrule::model {

inline constexpr auto padding_names =
    kinds_of<Padding, Padding::causal>("padding", "valid", "same", "causal");

/// The padding of this name; throws Error for one that a layer on `axes` axes does not have:
/// `causal` is for one axis, time.
Padding find_padding(std::string_view kind, std::string_view name, std::size_t axes);

/// The windows along one axis. Window o has `size` entries, o stride - before + i dilation for i <
/// size; those outside [0, inputs) are zeros.
struct Window {
  std::int64_t inputs;  // extent of the axis
  std::int64_t size;
  std::int64_t stride;
  std::int64_t dilation;
  std::int64_t before;  // zeros before the axis, and behind it
  std::int64_t behind;
  std::int64_t outputs;  // how many windows there are

  /// From the first entry of a window to behind its last.
  std::int64_t span() const { return dilation * (size - 1) + 1; }
};

/// The options of a layer with windows: each a number for each axis, or one for all.
struct WindowOptions {
  const char* size_name;  // of `sizes` in errors
  const std::vector<std::int64_t>& sizes;
  const std::vector<std::int64_t>& strides;
  const std::vector<std::int64_t>& dilations;
  Padding padding;
};

/// The windows along each of the first `axes` axes of an input with channels behind them; throws
/// Error where an option is out of range or a window is larger than the input.
std::vector<Window> windows_of(std::string_view kind, const Shape& input, std::size_t axes,
                               const WindowOptions& options);

/// The windows of a convolution whose outputs are the extents of `input`, with channels behind:
/// those of a transposed convolution, which gives that convolution's inputs. Among the numbers of
/// inputs that have as many windows, `valid` takes the least that is at least inputs * stride, and
/// `same` inputs * stride.
std::vector<Window> transposed_windows_of(std::string_view kind, const Shape& input,
                                          std::size_t axes, const WindowOptions& options);

}  // namespace chainrule::model
