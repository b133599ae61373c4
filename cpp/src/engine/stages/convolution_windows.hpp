// SPDX-License-Identifier: Apache-2.0
// Where the windows of a convolution and of its input gradient lie, worked out when a plan is made:
//
//   forward    an output (oy, ox) sums over the window of x that begins at (oy stride, ox stride)
//              of the image with its zeros. The terms of a kernel row lie side by side where they
//              are not dilated, so a window is some runs of numbers, the same for all outputs.
//
//                 0 0 0 0 0 0 0
//                 0[x x x]x x 0      a window of 3 x 3, and its first run
//                 0[x x x]x x 0
//                 0[x x x]x x 0
//
//   backward   dx(iy, ix) sums over the outputs whose windows hold it. With a stride of s it is in
//              those of kernel rows ky with ky dilation = iy + before (mod s), and likewise of
//              columns: s x s phases of dx. Each is a convolution of dy, with zeros beside its
//              rows, by these rows and columns of the kernel from the last to the first, so that no
//              zeros are put between the outputs. Rows of dx near the edge leave out kernel rows.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/convolution_args.hpp"
#include "model/window.hpp"

namespace chainrule::engine {

/// Zeros around an image, in positions.
struct Border {
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;

  bool is_empty() const { return top == 0 && bottom == 0 && left == 0 && right == 0; }
};

/// The windows over an image in which positions of `columns` numbers lie side by side.
struct ForwardWindows {
  std::int64_t height = 0, width = 0;  // of the image with its border
  Border border;
  std::vector<kernels::Run> terms;           // of a window
  std::vector<std::int64_t> rows;            // where each of them lies
  std::vector<kernels::WindowPlace> places;  // of an output of the image
  std::vector<kernels::Run> output_rows;     // where the first window of each begins
  std::int64_t step = 0;                     // from a window to the next of its output row

  /// y: the axis of rows, x: that of columns; y_stride: of the outputs.
  ForwardWindows(const model::Window& y, const model::Window& x, std::int64_t columns,
                 std::int64_t y_stride);
};

/// Rows of a phase whose sums are over the same of its kernel rows: those by which they are in
/// outputs of the image.
struct GradientRows {
  std::int64_t first_tap;
  std::vector<kernels::Run> terms;           // dy of these taps, from a window's beginning
  std::vector<kernels::WindowPlace> places;  // of dy and of dx
};

/// The positions of dx that are in windows of the same kernel rows and columns.
struct GradientPhase {
  std::vector<std::int64_t> taps;  // kernel positions, in the order of the sum
  std::vector<GradientRows> rows;
};

/// The windows over dy, an image of positions of `columns` numbers, with zeros beside its rows.
struct GradientWindows {
  std::int64_t width = 0;
  Border border;
  std::vector<GradientPhase> phases;

  GradientWindows(const model::Window& y, const model::Window& x, std::int64_t columns,
                  std::int64_t dx_stride);
};

}  // namespace chainrule::engine
