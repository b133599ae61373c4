// SPDX-License-Identifier: Apache-2.0
// What convolutions read and write. x lies side by side, [image][position][channel], with zeros
// around each image where its windows reach over the edge, so that a window begins at some number
// of an image and all of its terms lie at distances from there that are the same for all windows.
// Rows of the weight are the terms of a window, in the order of (kernel row, kernel column,
// channel).
#pragma once

#include <stdint.h>

#include "kernels/layout.hpp"

namespace chainrule::kernels {

/// `count` numbers, `offset` from the one that they are counted from; the step between them
/// stands beside each list of runs.
struct Run {
  int64_t offset;
  int64_t count;
};

/// Where a window begins in its image of x, and where its outputs begin in that of y.
struct WindowPlace {
  int64_t x, y;
};

/// y(image, window, :) = bias + sum over the terms of the window, in order, of x W.
template <class T>
struct ConvolutionArgs {
  PanelShape shape;  // of W: (terms of a window x outputs)
  const T* weight;
  int64_t first;     // row of W, that of the first term
  const T* bias;     // padded vector, or null for zero
  const Run* terms;  // of a window, side by side in each run
  int64_t term_runs;
  const WindowPlace* windows;  // of an image
  int64_t window_count;
  int64_t images;
  const T* x;
  int64_t x_image;  // numbers from one image to the next
  T* y;             // padding becomes zero
  int64_t y_image;
};

/// g(term, :) = sum over images and windows, in order, of x dy, for terms [begin, end) of one panel
/// of W; g points at term `begin`.
template <class T>
struct ConvolutionGradientArgs {
  PanelShape shape;
  int64_t panel;
  int64_t begin, end;
  const int64_t* terms;  // where each lies from the beginning of its window
  const Run* windows;    // of an image: runs of them, `step` from one to the next
  int64_t window_runs;
  int64_t step;
  int64_t block;  // runs summed at a time
  int64_t images;
  const T* x;
  int64_t x_image;
  const T* dy;  // a row for each window, image after image
  int64_t dy_stride;
  T* g;
  bool adds;  // to the sums of earlier images, which are in g
};

/// y = x with zeros around each image.
template <class T>
struct BorderArgs {
  int64_t images, height, width, columns;
  int64_t top, bottom, left, right;  // positions
  const T* x;
  int64_t x_image, x_stride;  // numbers from one image, and from one position, to the next
  T* y;                       // side by side
};

}  // namespace chainrule::kernels
