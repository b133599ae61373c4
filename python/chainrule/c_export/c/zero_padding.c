// SPDX-License-Identifier: Apache-2.0
/* y = the positions of x, of n values each, with zeros around them: so many rows above, and so many
 * positions to the left. */
static void zero_padding(const float* x, float* y, size_t n, size_t x_height, size_t x_width,
                         size_t y_height, size_t y_width, size_t above, size_t left) {
  for (size_t i = 0; i < y_height * y_width * n; ++i) y[i] = 0.0f;
  for (size_t i = 0; i < x_height; ++i) {
    float* row = y + ((above + i) * y_width + left) * n;
    for (size_t j = 0; j < x_width * n; ++j) row[j] = x[i * x_width * n + j];
  }
}
