// SPDX-License-Identifier: Apache-2.0
/* y = the positions of x, of n values each, that begin so many rows below its first, and so many
 * positions to the right. */
static void cropping(const float* x, float* y, size_t n, size_t x_width, size_t y_height,
                     size_t y_width, size_t above, size_t left) {
  for (size_t i = 0; i < y_height; ++i) {
    const float* row = x + ((above + i) * x_width + left) * n;
    for (size_t j = 0; j < y_width * n; ++j) y[i * y_width * n + j] = row[j];
  }
}
