// SPDX-License-Identifier: Apache-2.0
#include "model/window.hpp"

#include <algorithm>
#include <string>

#include "model/fields.hpp"

namespace chainrule::model {
namespace {

/// Far more than any, and little enough that products of two do not overflow.
constexpr std::int64_t kMostEntries = std::int64_t{1} << 30;

/// The number for an axis of one for all or one for each; throws Error.
std::int64_t number_for(std::string_view kind, const char* name,
                        const std::vector<std::int64_t>& numbers, std::size_t axis,
                        std::size_t axes) {
  if (numbers.size() != 1 && numbers.size() != axes)
    refuse(kind, std::string(name) + " must be one integer or " + std::to_string(axes) + ", got " +
                     std::to_string(numbers.size()));
  const std::int64_t number = numbers[numbers.size() == 1 ? 0 : axis];
  check_value(kind, name, number, at_least_one);
  if (number > kMostEntries)
    refuse(kind, std::string(name) + " must be at most 2^30, got " + std::to_string(number));
  return number;
}

/// Throws Error unless the input has `axes` axes and channels behind them.
void check_axes(std::string_view kind, const Shape& input, std::size_t axes) {
  if (input.extents().size() != axes + 1)
    refuse(kind, std::string("it reads ") +
                     (axes == 1 ? "(time, features)" : "(height, width, channels)") +
                     ", got rows of shape " + input.text() +
                     "; an Input or a Reshape says their shape");
}

}  // namespace

Padding find_padding(std::string_view kind, std::string_view name, std::size_t axes) {
  const Padding padding = within(kind, "padding", [&] { return padding_names.find(name); });
  if (padding == Padding::causal && axes != 1)
    refuse(kind, "padding 'causal' is for (time, features) alone; choose 'valid' or 'same'");
  return padding;
}

std::vector<Window> windows_of(std::string_view kind, const Shape& input, std::size_t axes,
                               const WindowOptions& options) {
  check_axes(kind, input, axes);
  std::vector<Window> windows;
  for (std::size_t axis = 0; axis < axes; ++axis) {
    Window w{.inputs = input.extents()[axis],
             .size = number_for(kind, options.size_name, options.sizes, axis, axes),
             .stride = number_for(kind, "strides", options.strides, axis, axes),
             .dilation = number_for(kind, "dilation", options.dilations, axis, axes),
             .before = 0,
             .behind = 0,
             .outputs = 0};
    check_value(kind, "inputs", w.inputs, at_least_one);
    if (options.padding == Padding::same) {
      const std::int64_t last = (w.inputs - 1) / w.stride * w.stride;
      const std::int64_t zeros = std::max<std::int64_t>(0, last + w.span() - w.inputs);
      w.before = zeros / 2;
      w.behind = zeros - w.before;
    } else if (options.padding == Padding::causal) {
      w.before = w.span() - 1;
    } else if (w.span() > w.inputs) {
      refuse(kind, std::string(options.size_name) + " must fit the input, got windows that span " +
                       std::to_string(w.span()) + " of " + std::to_string(w.inputs) +
                       " along axis " + std::to_string(axis) + " of " + input.text() +
                       "; padding 'same' gives it room");
    }
    w.outputs = (w.before + w.inputs + w.behind - w.span()) / w.stride + 1;
    windows.push_back(w);
  }
  return windows;
}

std::vector<Window> transposed_windows_of(std::string_view kind, const Shape& input,
                                          std::size_t axes, const WindowOptions& options) {
  check_axes(kind, input, axes);
  std::vector<std::int64_t> extents = input.extents();
  for (std::size_t axis = 0; axis < axes; ++axis) {
    check_value(kind, "inputs", extents[axis], at_least_one);
    if (extents[axis] > kMostEntries)
      refuse(kind, "inputs must be at most 2^30, got " + std::to_string(extents[axis]) +
                       " along axis " + std::to_string(axis) + " of " + input.text());
    const std::int64_t size = number_for(kind, options.size_name, options.sizes, axis, axes);
    const std::int64_t stride = number_for(kind, "strides", options.strides, axis, axes);
    const std::int64_t dilation = number_for(kind, "dilation", options.dilations, axis, axes);
    extents[axis] *= stride;
    if (options.padding == Padding::valid)
      extents[axis] += std::max<std::int64_t>(0, dilation * (size - 1) + 1 - stride);
  }
  return windows_of(kind, Shape(std::move(extents)), axes, options);
}

}  // namespace chainrule::model
